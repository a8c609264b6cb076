from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0018_watch_everything")]

    operations = [
        migrations.AddField(
            model_name="nodemeasure",
            name="backlog_seconds",
            field=models.FloatField(
                help_text="How long ago the run ended whose outcome has waited longest.",
                null=True,
                verbose_name="backlog seconds",
            ),
        ),
    ]
