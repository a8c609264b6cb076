"""Calendars, and what keeps nodes of the release before from breaking jobs that have some."""

import django.contrib.postgres.fields
import django.db.models.functions.datetime
import scheduler.core.states
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION scheduler_spare_calendars() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The trigger of the job % has calendars, which this release does not know.', OLD.djangojob_ptr_id
          USING ERRCODE = 'lock_not_available';
END $$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION scheduler_spare_calendars() SET search_path TO %I, pg_temp', current_schema());
END $$;

CREATE TRIGGER scheduler_spare_calendars BEFORE UPDATE OF state ON scheduler_job
    FOR EACH ROW WHEN (
        NEW.state = 'broken' AND NEW.trigger ?| ARRAY['calendars', 'windows']
        AND NEW.reason_params @? '$.**.key ? (@ == "only_on" || @ == "not_on" || @ == "otherwise" || @ == "calendars" || @ == "windows")'
    ) EXECUTE FUNCTION scheduler_spare_calendars();

-- A calendar that changes leaves what is due already due.
DROP TRIGGER scheduler_note_other_trigger ON scheduler_job;
CREATE TRIGGER scheduler_note_other_trigger AFTER UPDATE OF trigger ON scheduler_job
    FOR EACH ROW WHEN (NEW.trigger IS DISTINCT FROM OLD.trigger
                       AND current_setting('scheduler.accounts', true) IS DISTINCT FROM 'claim')
    EXECUTE FUNCTION scheduler_note_other_trigger();
"""

BACKWARD = """
DROP TRIGGER scheduler_note_other_trigger ON scheduler_job;
CREATE TRIGGER scheduler_note_other_trigger AFTER UPDATE OF trigger ON scheduler_job
    FOR EACH ROW WHEN (NEW.trigger IS DISTINCT FROM OLD.trigger) EXECUTE FUNCTION scheduler_note_other_trigger();
DROP TRIGGER scheduler_spare_calendars ON scheduler_job;
DROP FUNCTION scheduler_spare_calendars();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('scheduler', '0036_find_runs_of_removed_jobs'),
    ]

    operations = [
        migrations.CreateModel(
            name='Calendar',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(help_text='Triggers name it so: lower case letters, digits, hyphens.', max_length=64, unique=True, verbose_name='name')),
                ('title', models.CharField(blank=True, db_default='', default='', max_length=200, verbose_name='title')),
                ('rules', models.JSONField(default=list, help_text='One a line.', verbose_name='rules')),
                ('holidays', models.JSONField(default=list, help_text='The holidays of its countries, when it was last saved.', verbose_name='holidays')),
                ('timezone', models.CharField(blank=True, db_default='', default='', help_text="Empty: the days are those of the trigger's zone.", max_length=64, verbose_name='time zone')),
                ('tags', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, db_default=[], default=list, help_text='Jobs with one of these tags do not run on its days: it is a maintenance window for them.', size=None, verbose_name='tags')),
                ('during', models.CharField(choices=[('skip', 'Skip them'), ('once_afterwards', 'Skip them, and run once afterwards')], db_default='skip', default='skip', max_length=16, verbose_name='fire times in the window')),
                ('digest', models.CharField(help_text='Of all that fire times depend on.', max_length=16, verbose_name='digest')),
                ('version', models.PositiveIntegerField(db_default=1, default=1, verbose_name='version')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='created at')),
                ('created_by', models.CharField(blank=True, db_default='', default='', max_length=150, verbose_name='created by')),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='updated at')),
                ('updated_by', models.CharField(blank=True, db_default='', default='', max_length=150, verbose_name='updated by')),
            ],
            options={
                'verbose_name': 'calendar',
                'verbose_name_plural': 'calendars',
                'ordering': ('name',),
            },
        ),
        migrations.CreateModel(
            name='CalendarVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('calendar_name', models.CharField(max_length=64, verbose_name='calendar')),
                ('version', models.PositiveIntegerField(verbose_name='version')),
                ('digest', models.CharField(max_length=16, verbose_name='digest')),
                ('content', models.JSONField(help_text='All that fire times depend on.', verbose_name='content')),
                ('action', models.CharField(max_length=16, verbose_name='action')),
                ('changes', models.JSONField(default=dict, help_text='Old and new value by field.', verbose_name='changes')),
                ('actor', models.CharField(blank=True, db_default='', default='', max_length=150, verbose_name='who')),
                ('via', models.CharField(choices=[('admin', 'admin'), ('api', 'api'), ('command', 'command'), ('code', 'code'), ('scheduler', 'scheduler'), ('database', 'database')], default=scheduler.core.states.Via['CODE'], max_length=16, verbose_name='through')),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='when')),
            ],
            options={
                'verbose_name': 'change of a calendar',
                'verbose_name_plural': 'changes of calendars',
                'ordering': ('-id',),
                'default_permissions': (),
            },
        ),
        migrations.AddIndex(
            model_name='calendarversion',
            index=models.Index(fields=['digest'], name='scheduler_calendar_digest'),
        ),
        migrations.AddIndex(
            model_name='calendarversion',
            index=models.Index(fields=['calendar_name', '-id'], name='scheduler_calendar_changes'),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
