"""Keep the answers to alerts as data beside their English text, so that each reader gets their language."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0058_list_runs_of_removed_jobs")]

    operations = [
        migrations.AddField(
            "channel",
            "last_error_message",
            models.JSONField(
                editable=False,
                help_text="The error as data, where the scheduler wrote it: shown in the language of the reader.",
                null=True,
            ),
        ),
        migrations.AddField(
            "notification",
            "answer_message",
            models.JSONField(
                editable=False,
                help_text="The answer as data, where the scheduler wrote it: shown in the language of the reader.",
                null=True,
            ),
        ),
    ]
