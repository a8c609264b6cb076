"""Jobs in the admin: the list, the page, the form, and the actions on one job or many."""
