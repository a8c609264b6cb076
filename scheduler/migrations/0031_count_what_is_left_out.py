"""Count the fire times that were left out on purpose beside those that were skipped for another reason."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0030_note_time_zone_rules")]

    operations = [
        # The default is the database's: nodes of the release before go on inserting rows without the column.
        migrations.AddField(
            model_name="rollup",
            name="left_out",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                help_text="Of those that were skipped: on purpose, by a calendar or the task.",
            ),
        )
    ]
