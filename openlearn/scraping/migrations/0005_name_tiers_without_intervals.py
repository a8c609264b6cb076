"""The interval of a tier is that of its template, so its name no longer says one. The table stays as it is."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scraping', '0004_reword_help_texts'),
    ]

    operations = [
        migrations.AlterField(
            model_name='source',
            name='tier',
            field=models.CharField(choices=[('high', 'high'), ('medium', 'medium'), ('low', 'low')], default='medium', max_length=16, verbose_name='tier'),
        ),
    ]
