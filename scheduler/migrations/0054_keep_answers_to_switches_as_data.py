"""Keep the answers to dead-man's switches as data beside their English text, so that each reader gets their language."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0053_find_jobs_with_reasoned_runs")]

    operations = [
        migrations.AddField(
            "switch",
            "answer_message",
            models.JSONField(
                editable=False,
                help_text="The answer as data, where the scheduler wrote it: shown in the language of the reader.",
                null=True,
            ),
        )
    ]
