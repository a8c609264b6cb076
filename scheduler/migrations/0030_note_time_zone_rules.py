from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0029_act_on_many")]

    operations = [
        migrations.AddField(
            model_name="installation",
            name="cleaned_up_at",
            field=models.DateTimeField(
                help_text="When old rows were deleted the last time.", null=True, verbose_name="cleaned up at"
            ),
        ),
        migrations.AddField(
            model_name="node",
            name="tzdata",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The release of the time zone rules by which it computes fire times.",
                max_length=64,
                verbose_name="time zone data",
            ),
        ),
    ]
