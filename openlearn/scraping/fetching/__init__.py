"""Requests as a good guest makes them: robots.txt, one pace for each host, conditional, bounded."""
