-- Count the jobs by state, and the rows that stock django-apscheduler wrote and nobody has adopted.
--
-- Each job has a row in the table of django-apscheduler, so that the difference of the numbers are the others.
--
-- Locks:   none.
-- Params:  none
-- Rows:    state, jobs; and one whose state is NULL for the rows that are not adopted
-- Index:   scheduler_job_state, without the rows of jobs

WITH ours AS MATERIALIZED (
    SELECT job.state, count(*) AS jobs
      FROM scheduler_job AS job
     GROUP BY job.state
)
SELECT ours.state, ours.jobs FROM ours
 UNION ALL
SELECT NULL,
       (SELECT count(*) FROM django_apscheduler_djangojob) - coalesce((SELECT sum(ours.jobs) FROM ours), 0)::bigint
