"""
Let the clean-up drop results, logs and tracebacks before the rows of their runs.

Two empty columns, which nodes of the release before neither read nor write.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0056_find_jobs_among_many")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="output_dropped_at",
            field=models.DateTimeField(
                help_text="When its result, log and traceback were dropped for their age.",
                null=True,
                verbose_name="output dropped at",
            ),
        ),
        migrations.AddField(
            model_name="installation",
            name="outputs_dropped_to",
            field=models.BigIntegerField(
                help_text="The last run up to which the output of all was dropped.",
                null=True,
                verbose_name="outputs dropped to",
            ),
        ),
    ]
