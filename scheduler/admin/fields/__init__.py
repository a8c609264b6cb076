"""Form fields and widgets of the job form."""
