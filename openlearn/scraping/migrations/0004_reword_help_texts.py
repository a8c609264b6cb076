"""Say the names and help texts of sources, pages and documents in plain words. The database does not change."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scraping', '0003_indexes_of_turns_and_copies'),
    ]

    operations = [
        migrations.AlterField(
            model_name='document',
            name='content_hash',
            field=models.CharField(help_text='SHA-256 of the fields above.', max_length=64, verbose_name='content hash'),
        ),
        migrations.AlterField(
            model_name='document',
            name='duplicate_of',
            field=models.ForeignKey(blank=True, help_text='The first document found with the same or nearly the same text.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='copies', to='scraping.document', verbose_name='copy of'),
        ),
        migrations.AlterField(
            model_name='document',
            name='withdrawn_at',
            field=models.DateTimeField(blank=True, help_text='Time at which the repository declared it deleted.', null=True, verbose_name='withdrawn at'),
        ),
        migrations.AlterField(
            model_name='host',
            name='closed_until',
            field=models.DateTimeField(null=True, verbose_name='no requests until'),
        ),
        migrations.AlterField(
            model_name='listing',
            name='is_due',
            field=models.BooleanField(default=False, verbose_name='due for fetching'),
        ),
        migrations.AlterField(
            model_name='listing',
            name='marker',
            field=models.CharField(blank=True, default='', help_text='Changes when the item changes.', max_length=64, verbose_name='marker'),
        ),
        migrations.AlterField(
            model_name='listing',
            name='retry_at',
            field=models.DateTimeField(blank=True, help_text='No request before this time after a failure.', null=True, verbose_name='next attempt at'),
        ),
        migrations.AlterField(
            model_name='page',
            name='extracted_at',
            field=models.DateTimeField(null=True, verbose_name='extracted at'),
        ),
        migrations.AlterField(
            model_name='page',
            name='guid',
            field=models.CharField(blank=True, db_default='', default='', help_text='Identifier in the feed.', max_length=255, verbose_name='guid'),
        ),
        migrations.AlterField(
            model_name='page',
            name='hints',
            field=models.JSONField(blank=True, default=dict, help_text='From the feed: title, authors, summary, published_at.', verbose_name='hints'),
        ),
        migrations.AlterField(
            model_name='page',
            name='is_due',
            field=models.BooleanField(default=False, verbose_name='due for fetching'),
        ),
        migrations.AlterField(
            model_name='page',
            name='marker',
            field=models.CharField(blank=True, default='', help_text='Changes when the item changes.', max_length=64, verbose_name='marker'),
        ),
        migrations.AlterField(
            model_name='page',
            name='retry_at',
            field=models.DateTimeField(blank=True, help_text='No request before this time after a failure.', null=True, verbose_name='next attempt at'),
        ),
        migrations.AlterField(
            model_name='source',
            name='interval_seconds',
            field=models.PositiveIntegerField(blank=True, help_text='Time between scrapes, such as “45 min” or “2 h”. Leave empty to use the tier.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='interval'),
        ),
        migrations.AlterField(
            model_name='source',
            name='page_limit',
            field=models.PositiveIntegerField(default=100, help_text='Maximum pages per scrape. The rest follow next time. 0: feed entries only, no pages.', verbose_name='page limit'),
        ),
        migrations.AlterField(
            model_name='source',
            name='rest_until',
            field=models.DateTimeField(blank=True, editable=False, help_text='Requested by the source itself, or its learned pace.', null=True, verbose_name='no scrape before'),
        ),
        migrations.AlterField(
            model_name='source',
            name='retry_not_before',
            field=models.DateTimeField(blank=True, editable=False, help_text='Requested by the server.', null=True, verbose_name='wait until'),
        ),
        migrations.AlterField(
            model_name='source',
            name='robots_agreement',
            field=models.CharField(blank=True, db_default='', default='', help_text='Who at the site allowed reading this source although robots.txt forbids it, and when. Leave empty to obey robots.txt.', max_length=300, verbose_name='robots.txt agreement'),
        ),
    ]
