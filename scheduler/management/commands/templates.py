from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import CommandError, CommandParser

from scheduler.core.states import Via
from scheduler.management import declared, printing, reading
from scheduler.management.declared import PlanningCommand
from scheduler.models import Template, TemplateVersion
from scheduler.services import jobs as all_jobs
from scheduler.services import templates, transactions
from scheduler.services.declarations import Step, Synchronisation
from scheduler.services.declarations.file_lines import Loader
from scheduler.services.templates import from_jobs, instances, predefined, providers, transfer, upgrades

_FIELDS = {"slug", "title", "description", "parameters", "body", "note"}


class Command(PlanningCommand):
    help = (
        "List, show and load templates of jobs, create their instances, and upgrade them. "
        "Exit code 0: done; 1: refused; 2: wrong usage. Of a dry run 0: up to date; 2: changes; 1: anything else."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        words = printing.words(parser)

        def add(word: str, help: str, *arguments: Callable[[CommandParser], Any]) -> CommandParser:
            part: CommandParser = words.add_parser(word, help=help)
            for argument in arguments:
                argument(part)
            return part

        self._add_templates(add)
        self._add_instances(add)

    def _add_templates(self, add: Callable[..., CommandParser]) -> None:
        add("list", "List templates.", printing.add_output)
        add("show", "Show a template: its newest version and its instances.", _slug, printing.add_output)
        load = add("load", "Create a template from a YAML file, or add a version to it.", printing.add_output)
        load.add_argument("file", type=Path)
        load.add_argument(
            "--dry-run", action="store_true", help="Show what the version would change in the instances; add nothing."
        )
        made = add("from-job", "Make a template from a job.", printing.add_output)
        made.add_argument("job", metavar="JOB", help="The id of the job.")
        made.add_argument("--slug", help="Default: from the name of the job.")
        made.add_argument("--title", help="Default: the name of the job.")
        add("restore", "Bring a predefined template back to its shipped definition.", _slug, printing.add_output)
        exporting = add("export", "Write templates with all of their versions as JSON.")
        exporting.add_argument("slugs", nargs="*", metavar="SLUG", help="Default: all.")
        importing = add("import", "Create the templates of an export, and add versions that are new.", _dry_run_only)
        importing.add_argument("file", type=Path)

    def _add_instances(self, add: Callable[..., CommandParser]) -> None:
        create = add("create", "Create one instance: a job.", _slug, printing.add_output)
        create.add_argument("job", help="The id of the job.")
        create.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="The value of a parameter; may be repeated.",
        )
        sync = add(
            "sync", "Bring instances to what rows say: create, change, and pause what vanished.", _slug, _dry_run
        )
        rows = sync.add_mutually_exclusive_group(required=True)
        rows.add_argument("--table", type=Path, metavar="FILE", help="A CSV file with a heading: key and parameters.")
        rows.add_argument("--rows", metavar="NAME", help="A provider that code registers with @rows.")
        upgrade = add("upgrade", "Bring all instances to a version.", _slug, _dry_run)
        upgrade.add_argument(
            "--to", type=printing.whole(least=1), metavar="N", help="The version. Default: the newest."
        )
        upgrade.add_argument(
            "--overwrite", action="store_true", help="Also write fields that a person changed in an instance."
        )
        detach = add("detach", "Let instances be ordinary jobs.")
        detach.add_argument("jobs", nargs="+", metavar="JOB")

    def is_plan(self, argv: Sequence[str]) -> bool:
        return "--dry-run" in argv

    def handle(self, *, word: str, **options: Any) -> None:
        is_plan = options.get("dry_run", False)
        printing.guarded(lambda: getattr(self, f"_{word.replace('-', '_')}")(**options), is_plan=is_plan)

    def _list(self, *, output: str, **_: Any) -> None:
        rows = [_shown(template) for template in templates.all_templates()]
        self._print(rows, output, columns=("slug", "title", "version", "instances"))

    def _show(self, *, slug: str, output: str, **_: Any) -> None:
        template = templates.get(slug=slug)
        newest = templates.version(template=template)
        shown = {
            **_shown(template),
            "description": template.description,
            "parameters": newest.parameters,
            "body": newest.body,
            "jobs": [row.job_key for row in instances.of(template=template)],
        }
        self._print(shown, output)

    def _load(self, *, file: Path, output: str, dry_run: bool, **_: Any) -> None:
        given = _document(file)
        found = templates.all_templates().filter(slug=given["slug"]).first()
        body, parameters = given["body"], given.get("parameters", ())
        if dry_run:
            self._plan_version(found, body=body, parameters=parameters, as_json=output == "json")
            return
        if found is None:
            version = templates.create(
                slug=given["slug"],
                title=given.get("title", given["slug"]),
                description=given.get("description", ""),
                body=body,
                parameters=parameters,
                actor=_actor(),
            )
        else:
            version = templates.add_version(
                template=found, body=body, parameters=parameters, note=given.get("note", ""), actor=_actor()
            )
        self._print({"slug": version.template.slug, "version": version.number}, output)

    def _plan_version(self, template: Template | None, *, body: Any, parameters: Any, as_json: bool) -> None:
        if template is None:
            templates.check(parameters=list(parameters), body=body)
            raise printing.Changes("the template would be created. It has no instances yet.")
        draft = upgrades.draft(template=template, body=body, parameters=parameters)
        found = upgrades.plan(version=draft)
        declared.report(found, as_json=as_json, out=self.stdout, err=self.stderr, style=self.style)
        declared.refuse(found)
        if found.has_changes:
            raise printing.Changes("“load” adds the version, and “upgrade” then makes these changes.")

    def _create(self, *, slug: str, job: str, set: list[str], output: str, **_: Any) -> None:
        version = templates.current(slug=slug)
        known = templates.parameters(of=version)
        values = dict(_pair(text) for text in set)
        for each in known:
            if each.type == "list" and isinstance(values.get(each.name), str):
                values[each.name] = [part for part in values[each.name].split("|") if part]
        created = instances.create(version=version, key=job, values=values, actor=_actor(), via=Via.COMMAND)
        self._print({"id": created.pk, "name": created.name, "task": created.task}, output)

    def _sync(self, *, slug: str, table: Path | None, rows: str | None, dry_run: bool, as_json: bool, **_: Any) -> None:
        version = templates.current(slug=slug)
        if table is not None:
            text = reading.text(table)
            given: Any = providers.read_table(text=text, parameters=templates.parameters(of=version))
        else:
            given = providers.provider(name=str(rows))()
        name = rows or "table"
        if dry_run:
            found = instances.rows_plan(version=version, rows=name, given=given)
        else:
            found = instances.rows_apply(version=version, rows=name, given=given, actor=_actor(), via=Via.COMMAND)
        self._report(found, as_json=as_json, dry_run=dry_run)

    def _upgrade(self, *, slug: str, to: int | None, overwrite: bool, dry_run: bool, as_json: bool, **_: Any) -> None:
        version = templates.version(template=templates.get(slug=slug), number=to)
        if dry_run:
            found = upgrades.plan(version=version, overwrite=overwrite)
        else:
            found = upgrades.apply(
                version=version, overwrite=overwrite, actor=_actor(), via=Via.COMMAND, on_step=self._progress(version)
            )
        self._report(found, as_json=as_json, dry_run=dry_run)

    def _progress(self, version: TemplateVersion) -> Callable[[Step], None] | None:
        """Return what counts the instances that are done, on a terminal."""
        if not self.stderr.isatty():
            return None
        total, done = upgrades.count_of(template=version.template), count(1)

        def show(_step: Step) -> None:
            self.stderr.overwrite(f"{next(done):,} of {total:,}")

        return show

    def _from_job(self, *, job: str, slug: str | None, title: str | None, output: str, **_: Any) -> None:
        found = from_jobs.proposed(job=all_jobs.get(id=job))
        version = templates.create(
            slug=slug or found.slug,
            title=title or found.title,
            description=found.description,
            body=found.body,
            parameters=found.parameters,
            actor=_actor(),
        )
        self._print({"slug": version.template.slug, "version": version.number}, output)

    def _restore(self, *, slug: str, output: str, **_: Any) -> None:
        template = predefined.restore(slug=slug)
        self._print({"slug": slug, "version": templates.version(template=template).number}, output)

    def _export(self, *, slugs: list[str], **_: Any) -> None:
        chosen = [templates.get(slug=slug).slug for slug in slugs] or None
        self.stdout.write(printing.as_json({"templates": transfer.export(slugs=chosen)}))

    def _import(self, *, file: Path, dry_run: bool, **_: Any) -> None:
        found = _parsed(file)
        with transactions.atomic():
            before = _newest()
            transfer.load(document=found.get("templates"), actor=_actor())
            after = _newest()
            if dry_run:
                transactions.undo()
        for slug in after:
            if after[slug] != before.get(slug):
                self.stdout.write(f"{slug}: version {after[slug]}")

    def _detach(self, *, jobs: list[str], **_: Any) -> None:
        for id in jobs:
            instances.detach(job=all_jobs.get(id=id), actor=_actor(), via=Via.COMMAND)
            self.stdout.write(f"{id} is an ordinary job now.")

    def _report(self, found: Synchronisation, *, as_json: bool, dry_run: bool) -> None:
        declared.report(found, as_json=as_json, out=self.stdout, err=self.stderr, style=self.style)
        declared.refuse(found)
        if dry_run and found.has_changes:
            raise printing.Changes("the same command without --dry-run carries them out.")

    def _print(self, document: Any, output: str, *, columns: tuple[str, ...] = ()) -> None:
        if output == "json":
            self.stdout.write(printing.as_json(document))
        elif columns:
            self.stdout.write(printing.table(rows=document, columns=columns))
        else:
            self.stdout.write(printing.facts(document))


def _shown(template: Template) -> dict[str, Any]:
    return {
        "slug": template.slug,
        "title": template.title,
        "version": templates.version(template=template).number,
        "instances": instances.of(template=template).count(),
    }


def _newest() -> dict[str, int]:
    """Return the number of the newest version of each template, by slug."""
    return {each.slug: templates.version(template=each).number for each in templates.all_templates()}


def _slug(parser: CommandParser) -> None:
    parser.add_argument("slug", help="The slug of the template.")


def _dry_run(parser: CommandParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="Show what would be done; exit code 2 if anything.")
    parser.add_argument("--json", action="store_true", dest="as_json", help="Print the steps as JSON.")


def _dry_run_only(parser: CommandParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="Show what would be done, without doing it.")


def _pair(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise CommandError(f"--set is “{text}”; write it as NAME=VALUE.", returncode=printing.NOT_ASKED)
    return name, value


def _parsed(path: Path) -> dict[str, Any]:
    try:
        found = yaml.load(reading.text(path), Loader=Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise CommandError(f"{path} is not valid YAML: {error}.", returncode=printing.NOT_ASKED) from None
    return found if isinstance(found, dict) else {}


def _document(path: Path) -> dict[str, Any]:
    found = _parsed(path)
    if not isinstance(found.get("slug"), str) or "body" not in found:
        raise CommandError(f"{path} needs “slug” and “body”.", returncode=printing.NOT_ASKED)
    unknown = sorted(set(map(str, found)) - _FIELDS)
    if unknown:
        text = f"{path} has an unknown key “{unknown[0]}”. Allowed: {', '.join(sorted(_FIELDS))}."
        raise CommandError(text, returncode=printing.NOT_ASKED)
    return found


def _actor() -> str:
    try:
        return getpass.getuser()[:150]
    except (OSError, KeyError):
        return "shell"
