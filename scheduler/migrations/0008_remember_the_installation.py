"""Remember which environment a database belongs to, and by which time zone data next fire times were computed."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scheduler', '0007_find_runs_by_time'),
    ]

    operations = [
        migrations.CreateModel(
            name='Installation',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ('environment', models.CharField(blank=True, help_text='Nodes of another environment refuse to start.', max_length=255, verbose_name='environment')),
                ('environment_set_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='environment set at')),
                ('tzdata', models.CharField(blank=True, default='', help_text='By which next fire times were computed.', max_length=64, verbose_name='time zone data')),
            ],
            options={
                'verbose_name': 'installation',
                'verbose_name_plural': 'installations',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='scheduler_installation_is_one')],
            },
        ),
    ]
