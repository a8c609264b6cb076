-- Jobs whose stored triggers do not have the calendars and the maintenance windows as they are now.
--
-- Locks:   none.
-- Params:  after text, the id to go on from; limit int
-- Rows:    id
-- Index:   scheduler_job_with_calendars; scheduler_job_tags. Both find few jobs, unless many have calendars

WITH maintenance AS MATERIALIZED (
    SELECT calendar.name, calendar.digest, calendar.during, calendar.tags::text[] AS tags
      FROM scheduler_calendar AS calendar
     WHERE cardinality(calendar.tags) > 0
), concerned AS MATERIALIZED (
    SELECT job.djangojob_ptr_id AS id
      FROM scheduler_job AS job
     WHERE job.trigger ?| ARRAY['calendars', 'windows']
    UNION
    SELECT job.djangojob_ptr_id
      FROM maintenance
      JOIN scheduler_job AS job ON job.tags::text[] && maintenance.tags
)
SELECT job.djangojob_ptr_id
  FROM concerned
  JOIN scheduler_job AS job ON job.djangojob_ptr_id = concerned.id
 WHERE job.djangojob_ptr_id > %(after)s
   AND job.state IN ('active', 'paused')
   AND jsonb_typeof(job.trigger) = 'object'
   AND (coalesce(job.trigger -> 'windows', '{}') IS DISTINCT FROM (
            SELECT coalesce(jsonb_object_agg(maintenance.name, jsonb_build_array(maintenance.digest, maintenance.during)),
                            '{}')
              FROM maintenance
             WHERE maintenance.tags && job.tags::text[])
        OR EXISTS (
            SELECT 1
              FROM jsonb_each_text(CASE jsonb_typeof(job.trigger -> 'calendars')
                                   WHEN 'object' THEN job.trigger -> 'calendars' ELSE '{}' END) AS pin (name, digest)
              JOIN scheduler_calendar AS calendar ON calendar.name = pin.name
             WHERE calendar.digest <> pin.digest))
 ORDER BY job.djangojob_ptr_id
 LIMIT %(limit)s
