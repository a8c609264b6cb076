// What a program does with the types that openapi-typescript generates; tsc --strict checks it without a cast.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

const [address, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${token}` } });
const trigger: components["schemas"]["Trigger"] = { type: "interval", minutes: 30 };

async function main(): Promise<void> {
  const created = await client.POST("/api/v1/scheduler/jobs", {
    body: { id: "generated", task: "sample.square", kwargs: { number: 3 }, max_retries: 5, trigger },
  });
  check(created.data?.name === "generated", JSON.stringify(created.error));

  const job = { params: { path: { id: "generated" } } };
  const changed = await client.PATCH("/api/v1/scheduler/jobs/{id}", { ...job, body: { priority: 5 } });
  check(changed.data?.max_retries === 5 && changed.data.priority === 5, JSON.stringify(changed.error));

  const run = await client.POST("/api/v1/scheduler/jobs/{id}/run", { ...job, body: {} });
  check(run.data !== undefined, JSON.stringify(run.error));
  const ended = await client.GET("/api/v1/scheduler/runs/{id}", {
    params: { path: { id: run.data.id }, query: { wait: 30 } },
  });
  check(ended.data?.state === "succeeded", JSON.stringify(ended.error ?? ended.data));
  check(JSON.stringify(ended.data.result).includes('"square":9'), JSON.stringify(ended.data.result));

  const read = await client.GET("/api/v1/scheduler/jobs/{id}", job);
  const stored = read.data?.trigger;
  check(stored?.type === "interval" && stored.minutes === 30, JSON.stringify(read.error));
  check(read.data?.last_run?.id === run.data.id, "The newest run is another one.");

  const gone = await client.DELETE("/api/v1/scheduler/jobs/{id}", job);
  check(gone.response.status === 204, JSON.stringify(gone.error));
  console.log("done");
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
