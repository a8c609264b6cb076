"""
Calendars: named sets of days and of intervals, written as rules, one a line.

::

    sat-sun Weekend                                   weekdays: mon, sat-sun, daily
    sun 02:00-04:00 Backup                            a part of these days; 22:00-04:00 ends on the next day
    12-24 Christmas Eve                               every year
    2026-12-27..2026-12-31 Between the years          a date, or dates from … to, both included
    2026-12-01 20:00..2026-12-02 04:00 Migration      from one time to another
    holidays DE-BY                                    the public holidays of a country or a part of it
    # A line that begins so is a comment.

The text after a rule is its title; it is in the reason of a fire time that is left out. ``rules`` reads the lines,
``calendar`` answers what is on it at an instant, ``contents`` knows which calendar has which name, ``files`` turns
iCalendar files and ``country_holidays`` countries into dates.

**Contents have digests.** A stored trigger holds the digest of each of its calendars, so that its fire times depend on
its own text alone: a node never applies half of a change. A calendar that changes has another digest, and the services
write it into the triggers of its jobs, each together with its next fire time.
"""
