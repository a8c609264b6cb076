"""What an installation watches before anybody has thought about it: jobs that fail or cannot run, and the scheduler."""

from django.conf import settings
from django.db import migrations

RULES = (
    ('Any job fails 3 times in a row', {'kind': 'failing', 'threshold': 3, 'severity': 'warning'}),
    ('Any job cannot run', {'kind': 'broken', 'severity': 'warning'}),
    ('The scheduler is unwell', {'kind': 'system', 'severity': 'critical'}),
)
SILENT_BACKENDS = ('console', 'dummy', 'filebased', 'locmem')


def watch(apps, schema_editor):
    Rule = apps.get_model('scheduler', 'Rule')
    Channel = apps.get_model('scheduler', 'Channel')
    channels = []
    # Django 6.1 has MAILERS, beside which EMAIL_BACKEND cannot be read.
    mailers = getattr(settings, 'MAILERS', None)
    path = settings.EMAIL_BACKEND if mailers is None else mailers.get('default', {}).get('BACKEND', 'dummy.')
    backend = path.split('.')[-2] if '.' in path else ''
    if settings.ADMINS and backend not in SILENT_BACKENDS:
        channels = [Channel.objects.create(name='Admins by mail', kind='mail', config={'to': [], 'admins': True})]
    for name, values in RULES:
        rule = Rule.objects.create(name=name, **values)
        rule.channels.set(channels)


def unwatch(apps, schema_editor):
    apps.get_model('scheduler', 'Rule').objects.filter(name__in=[name for name, _ in RULES]).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('scheduler', '0017_open_incidents'),
    ]

    operations = [
        migrations.RunPython(watch, unwatch),
    ]
