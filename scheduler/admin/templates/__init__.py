"""Templates of jobs in the admin: the list, the page of one, its instances and upgrades."""
