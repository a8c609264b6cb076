"""The messages of errors about outgoing requests and their answers, each declared once."""

from __future__ import annotations

from scheduler.messages import declare

SCHEME_REFUSED = declare("scheme_refused", "“{scheme}” cannot be requested: use http or https.", scheme=str)
ADDRESS_HOLDS_CREDENTIALS = declare(
    "address_holds_credentials", "The address of {host} holds a user name or password. Leave them out.", host=str
)
NOT_A_HOST = declare("not_a_host", "“{host}” is not the name of a host.", host=str)
PORT_REFUSED = declare(
    "port_refused",
    "Port {port} of {host} is refused: only 80 and 443 are open. "
    "If it is meant, add “{entry}” to SCHEDULER['ALLOWED_HOSTS'].",
    port=str,
    host=str,
    entry=str,
)
HOST_IS_A_NUMBER = declare(
    "host_is_a_number", "“{host}” is a number that stands for an address. Write the address as a.b.c.d.", host=str
)
ADDRESS_REFUSED = declare(
    "address_refused",
    "{place} is refused: it is {kind}. If it is meant, add “{entry}” to SCHEDULER['ALLOWED_HOSTS'].",
    place=str,
    kind=str,
    entry=str,
)
NOT_AN_ADDRESS = declare(
    "not_an_address", "“{url}” is not an address that can be requested: {problem}.", url=str, problem=str
)
HOST_HEADER_GIVEN = declare(
    "host_header_given", "{url}: a Host header cannot be given; write the host into the address.", url=str
)
SOCKET_REFUSED = declare(
    "socket_refused", "{path} is a socket of this machine; only http and https are requested.", path=str
)
REDIRECTED_TOO_OFTEN = declare(
    "redirected_too_often",
    "{url} was redirected more than {most} times, last to {target}. Open it in a browser and use the address where it "
    "ends; if it ends at the same one, the site wants cookies, which are not kept.",
    url=str,
    most=int,
    target=str,
)
REDIRECT_UNREADABLE = declare(
    "redirect_unreadable", "{url} redirects to an address that cannot be read: {problem}.", url=str, problem=str
)
HEADER_TOO_LARGE = declare(
    "header_too_large",
    "{url} answered with a header of {size:,} bytes; {most:,} are read at most.",
    url=str,
    size=int,
    most=int,
)
BODY_TOO_LARGE = declare(
    "body_too_large",
    "{url} is larger than {most:,} bytes, counted after decompression. Nothing of it was kept.",
    url=str,
    most=int,
)
UNPACKS_TO_TOO_MUCH = declare(
    "unpacks_to_too_much", "{url} unpacks to more than may be read. Nothing of it was kept.", url=str
)
UNPACKS_TOO_FAR = declare(
    "unpacks_too_far",
    "{url} unpacks to more than {ratio} times its size, as archives made to exhaust memory do.",
    url=str,
    ratio=int,
)
PACKED_TOO_OFTEN = declare(
    "packed_too_often",
    "{url} is packed {times} times over ({names}); twice is the most.",
    url=str,
    times=int,
    names=str,
)
ANOTHER_PACKING = declare(
    "another_packing", "{url} came encoded as “{name}”; only gzip and deflate were asked for.", url=str, name=str
)
WRONGLY_PACKED = declare(
    "wrongly_packed", "{url} says that it is {name}, and is not: {problem}.", url=str, name=str, problem=str
)
PACKED_DATA_ENDED = declare("packed_data_ended", "{url} ended in the middle of its {name} data.", url=str, name=str)
NOT_IN_TIME = declare(
    "not_in_time",
    "{url} did not answer completely in time (at most {silence:g} s of silence, {total:g} s for everything). "
    "It is tried again at the next fire time.",
    url=str,
    silence=float,
    total=float,
)
NOT_HTTP = declare("not_http", "{url} did not answer as HTTP asks: {problem}.", url=str, problem=str)
NOT_REACHED = declare(
    "not_reached",
    "{url} cannot be reached: {problem}. Check the address, or whether its server is up.",
    url=str,
    problem=str,
)
CERTIFICATE_NOT_TRUSTED = declare(
    "certificate_not_trusted",
    "{url} cannot be reached: {problem}. Its certificate is not trusted. If an authority of your own signed it, name "
    "the file of that authority in SCHEDULER['CA_FILE'] (SCHEDULER_CA_FILE).",
    url=str,
    problem=str,
)
ANOTHER_STATUS = declare(
    "another_status",
    "{method} {url} answered {status}; expected was {expected}. It begins: {begins}",
    method=str,
    url=str,
    status=str,
    expected=str,
    begins=str,
)
ANOTHER_STATUS_EMPTY = declare(
    "another_status_empty",
    "{method} {url} answered {status}; expected was {expected}. It is empty.",
    method=str,
    url=str,
    status=str,
    expected=str,
)
