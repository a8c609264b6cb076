from django.db import migrations

# 0006 made a foreign key at first: users may be in another database. A new installation has none.
DROP_FOREIGN_KEY = """
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT conname FROM pg_constraint
         WHERE conrelid = 'scheduler_idempotencykey'::regclass AND contype = 'f'
    LOOP
        EXECUTE format('ALTER TABLE scheduler_idempotencykey DROP CONSTRAINT %I', name);
    END LOOP;
END
$$
"""


class Migration(migrations.Migration):

    dependencies = [('scheduler', '0020_add_templates')]

    operations = [migrations.RunSQL(DROP_FOREIGN_KEY, migrations.RunSQL.noop)]
