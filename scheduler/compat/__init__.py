"""Coming from and going to other schedulers: their rows and files, read as jobs of this one."""
