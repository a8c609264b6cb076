"""Say the help texts of alerts, calendars, templates and tags in plain words. The database does not change."""

import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scheduler', '0041_note_runs_and_measure_nodes'),
    ]

    operations = [
        migrations.AlterField(
            model_name='calendar',
            name='during',
            field=models.CharField(choices=[('skip', 'Skip them'), ('once_afterwards', 'Skip them, and run once afterwards')], db_default='skip', default='skip', max_length=16, verbose_name='runs during the window'),
        ),
        migrations.AlterField(
            model_name='calendar',
            name='name',
            field=models.SlugField(help_text='Triggers use this name: lower-case letters, digits and hyphens.', max_length=64, unique=True, verbose_name='name'),
        ),
        migrations.AlterField(
            model_name='calendar',
            name='rules',
            field=models.JSONField(default=list, help_text='One per line.', verbose_name='rules'),
        ),
        migrations.AlterField(
            model_name='calendar',
            name='timezone',
            field=models.CharField(blank=True, db_default='', default='', help_text='Leave empty to use the time zone of the trigger.', max_length=64, verbose_name='time zone'),
        ),
        migrations.AlterField(
            model_name='channel',
            name='config',
            field=models.JSONField(default=dict, help_text='Settings of this kind of channel. Secrets are stored encrypted and shown masked.', verbose_name='configuration'),
        ),
        migrations.AlterField(
            model_name='channel',
            name='failed',
            field=models.PositiveBigIntegerField(db_default=0, default=0, help_text='Total number of failed attempts.', verbose_name='failed attempts'),
        ),
        migrations.AlterField(
            model_name='channel',
            name='failing_since',
            field=models.DateTimeField(blank=True, help_text='Time of the first consecutive failed attempt.', null=True, verbose_name='failing since'),
        ),
        migrations.AlterField(
            model_name='channel',
            name='kind',
            field=models.CharField(help_text='Mail, webhook, or another kind that is installed.', max_length=64, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='channel',
            name='language',
            field=models.CharField(blank=True, default='', help_text='Language of the messages.', max_length=10, verbose_name='language'),
        ),
        migrations.AlterField(
            model_name='channel',
            name='per_minute',
            field=models.PositiveIntegerField(default=30, help_text='Further messages wait.', verbose_name='messages per minute'),
        ),
        migrations.AlterField(
            model_name='channel',
            name='quiet_until',
            field=models.TimeField(blank=True, help_text='Messages wait until this time, except critical ones.', null=True, verbose_name='quiet until'),
        ),
        migrations.AlterField(
            model_name='channel',
            name='sent',
            field=models.PositiveBigIntegerField(db_default=0, default=0, help_text='Total number of messages.', verbose_name='sent'),
        ),
        migrations.AlterField(
            model_name='channel',
            name='zone',
            field=models.CharField(default='UTC', help_text='For quiet hours, the digest and times in messages.', max_length=64, verbose_name='time zone'),
        ),
        migrations.AlterField(
            model_name='job',
            name='tags',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=50), blank=True, db_default=models.Value([], django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=50), size=None)), default=list, help_text='For filtering.', size=None, verbose_name='tags'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='answer',
            field=models.TextField(blank=True, db_default='', default='', help_text='Answer to the last attempt.', verbose_name='answer'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='attempts',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name='attempts'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='due_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='next attempt at'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='leased_until',
            field=models.DateTimeField(help_text='Held by a sender until this time.', null=True, verbose_name='leased until'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='may_have_arrived',
            field=models.BooleanField(db_default=False, default=False, help_text='An attempt ended without a clear answer.', verbose_name='may have arrived'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='thread',
            field=models.UUIDField(help_text='The batch that opened the thread.', null=True, verbose_name='thread'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='tried_at',
            field=models.DateTimeField(null=True, verbose_name='last attempt at'),
        ),
        migrations.AlterField(
            model_name='rule',
            name='escalate_after',
            field=models.FloatField(blank=True, help_text='Time without an acknowledgement, such as 30 min. Leave empty for never.', null=True, verbose_name='escalate after'),
        ),
        migrations.AlterField(
            model_name='rule',
            name='factor',
            field=models.FloatField(blank=True, help_text='Usual is the p95 of the latest runs.', null=True, verbose_name='times the usual duration'),
        ),
        migrations.AlterField(
            model_name='rule',
            name='path',
            field=models.CharField(blank=True, default='', help_text='Path in the result, such as documents.new.', max_length=255, verbose_name='value in the result'),
        ),
        migrations.AlterField(
            model_name='rule',
            name='samples',
            field=models.PositiveIntegerField(blank=True, help_text='Number of runs needed to know the usual duration.', null=True, verbose_name='minimum runs'),
        ),
        migrations.AlterField(
            model_name='rule',
            name='target',
            field=models.CharField(blank=True, default='', help_text='The tag, the name of the task, or the id of the job.', max_length=255, verbose_name='name or id'),
        ),
        migrations.AlterField(
            model_name='rule',
            name='told_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='Time of the latest message that reported a new incident.', null=True, verbose_name='last reported at'),
        ),
        migrations.AlterField(
            model_name='switch',
            name='job_key',
            field=models.CharField(blank=True, default='', help_text='Leave empty to watch the scheduler as a whole.', max_length=255, verbose_name='job id'),
        ),
        migrations.AlterField(
            model_name='switch',
            name='url',
            field=models.JSONField(help_text='Stored encrypted. “/start” and “/fail” are appended where they apply.', verbose_name='address'),
        ),
        migrations.AlterField(
            model_name='template',
            name='is_predefined',
            field=models.BooleanField(db_default=False, default=False, help_text='Shipped with the scheduler.', verbose_name='is predefined'),
        ),
        migrations.AlterField(
            model_name='template',
            name='slug',
            field=models.SlugField(help_text='Used in addresses and commands.', max_length=100, unique=True, verbose_name='slug'),
        ),
    ]
