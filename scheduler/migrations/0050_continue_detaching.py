"""
Note how far the runs of a deleted job are detached.

Nodes of the release before detach them without looking at it.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0049_enqueue_in_a_function")]

    operations = [
        migrations.AddField(
            "removedjob",
            "since",
            models.DateTimeField(
                help_text="Runs that were scheduled before this are detached.", null=True, verbose_name="detached until"
            ),
        ),
        migrations.AddField(
            "removedjob",
            "again",
            models.DateTimeField(
                help_text="The first run that was locked, and is tried again at the end.",
                null=True,
                verbose_name="to be tried again",
            ),
        ),
    ]
