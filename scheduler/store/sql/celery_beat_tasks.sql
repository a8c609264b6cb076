-- Read the periodic tasks of django-celery-beat with their schedules.
--
-- Locks:   none
-- Params:  none
-- Rows:    name, task, args, kwargs, enabled, description, one_off, last_run_at, start_time, expires, expire_seconds,
--          queue, every, period, minute, hour, day_of_month, month_of_year, day_of_week, timezone, clocked_time, solar
-- Index:   none

SELECT task.name, task.task, task.args, task.kwargs, task.enabled, task.description, task.one_off, task.last_run_at,
       task.start_time, task.expires, task.expire_seconds, task.queue, every.every, every.period,
       cron.minute, cron.hour, cron.day_of_month, cron.month_of_year, cron.day_of_week, cron.timezone,
       clocked.clocked_time, solar.event AS solar
  FROM django_celery_beat_periodictask AS task
  LEFT JOIN django_celery_beat_intervalschedule AS every ON every.id = task.interval_id
  LEFT JOIN django_celery_beat_crontabschedule AS cron ON cron.id = task.crontab_id
  LEFT JOIN django_celery_beat_clockedschedule AS clocked ON clocked.id = task.clocked_id
  LEFT JOIN django_celery_beat_solarschedule AS solar ON solar.id = task.solar_id
 ORDER BY task.id
