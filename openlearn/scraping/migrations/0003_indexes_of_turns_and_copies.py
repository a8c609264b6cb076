# Built concurrently: scrapes go on meanwhile.
import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('scraping', '0002_fair_turns_identity_and_access'),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='page',
            constraint=models.UniqueConstraint(condition=models.Q(('guid', ''), _negated=True), fields=('source', 'guid'), name='scraping_page_guid_once_per_source'),
        ),
        AddIndexConcurrently(
            model_name='document',
            index=django.contrib.postgres.indexes.GinIndex(fields=['fingerprint'], name='scraping_document_fingerprint'),
        ),
        AddIndexConcurrently(
            model_name='page',
            index=models.Index(models.F('source'), models.OrderBy(models.F('asked_at'), nulls_first=True), models.OrderBy(models.F('id')), condition=models.Q(('is_due', True), ('failures__gt', 0), _connector='OR'), name='scraping_page_turn'),
        ),
        AddIndexConcurrently(
            model_name='page',
            index=models.Index(condition=models.Q(('failures__gt', 0)), fields=['source'], name='scraping_page_failing'),
        ),
        RemoveIndexConcurrently(
            model_name='page',
            name='scraping_page_due',
        ),
    ]
