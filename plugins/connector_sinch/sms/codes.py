"""The error codes of the SMS API in plain words: delivery reports, operators' networks, HTTP.

Sources: the SMS API's page "Delivery reports" (error codes), "SMPP error codes" with its page on 10DLC, and
the page "Status codes".
"""

from connector.model.codes import Catalogue, ErrorCode, Turn
from connector.model.event import StatusCodeSource
from connector.model.outcome import Scope
from connector_sinch import tokens

DELIVERED = 0
EXPIRED_INSIDE = 406
CANCELLED = 407
REPORT_CODES = range(400, 419)
"""The API's own codes in delivery reports; every other code comes from a network."""


def source_of(code: int) -> StatusCodeSource:
    """Which catalogue a delivery report's code belongs to."""
    return StatusCodeSource.report if code in REPORT_CODES else StatusCodeSource.smpp


_nobody, _sender, _integrator = Turn.nobody, Turn.sender, Turn.integrator
_provider, _recipient, _unknown = Turn.provider, Turn.recipient, Turn.unknown

# code: (meaning, whose turn, whether sending again may help)
_REPORT: dict[int, tuple[str, Turn, bool | None]] = {
    400: ("The message waits in the service plan's queue.", _nobody, None),
    401: ("The message was handed to the network; its end is not known yet.", _nobody, None),
    402: ("No route leads to this number.", _sender, False),
    403: ("Sinch had an internal error.", _provider, None),
    404: ("Delivery was impossible for the moment.", _nobody, True),
    405: ("A parameter of the text had no value for this recipient.", _sender, False),
    406: ("The message expired inside Sinch before it could be sent; give it a later expiry.", _sender, None),
    407: ("The message was cancelled before it was sent.", _nobody, False),
    408: ("Sinch's message centre rejected the message.", _provider, False),
    410: (
        "The service plan has no default sender for this recipient's country; name a sender, or have one set up.",
        _integrator,
        False,
    ),
    411: ("The text needs more message parts than allowed; shorten it or allow more.", _sender, False),
    412: ("The service plan is not set up for this recipient's country; ask Sinch to open it.", _integrator, False),
    413: ("The account is blocked, perhaps for want of credit; settle that with Sinch, then go on.", _integrator, None),
    414: ("The media of the MMS could not be fetched from its address.", _sender, False),
    415: ("The MMS was rejected by the gateway or the network.", _unknown, False),
    416: ("The recipient's handset or subscription takes no MMS.", _recipient, False),
    417: ("The MMS could not reach the recipient.", _recipient, None),
    418: ("The recipient's handset does not know the content of the MMS.", _sender, False),
}

_SMPP: dict[int, tuple[str, Turn, bool | None]] = {
    0: ("Delivered to the handset.", _nobody, None),
    # Routing
    1: ("The network could not route the message (internal, 1).", _provider, False),
    2: ("The network could not route the message (internal, 2).", _provider, False),
    3: ("The network could not route the message (internal, 3).", _provider, False),
    4: ("The network could not route the message for the moment (internal, 4).", _provider, True),
    5: ("The network could not route the message (internal, 5).", _provider, False),
    6: ("The network could not route the message (internal, 6).", _provider, False),
    7: ("The network could not route the message (internal, 7).", _provider, False),
    8: ("The network could not route the message (internal, 8).", _provider, False),
    9: ("The number follows a numbering plan that is not supported.", _sender, False),
    10: ("The number is of a type that is not supported.", _sender, False),
    11: ("The network did not deliver the message and gives no reason.", _unknown, False),
    12: ("No dialling zone matches the number.", _sender, False),
    13: ("The recipient is outside the home zone, and this subscriber is not allowed there.", _recipient, False),
    14: ("The recipient is outside the home zone, and the subscriber's identity could not be had.", _recipient, True),
    15: ("A filter blocked the message; in the USA: it was taken for spam.", _sender, False),
    16: ("The recipient's subscriber identity is blocked.", _recipient, False),
    17: ("The kind of the recipient's network is not known.", _provider, False),
    18: ("A system between Sinch and the network had an error.", _provider, True),
    19: ("The message's origin does not match where it may come from.", _integrator, False),
    # Inside the network's gateways
    40: ("The gateway had an internal error for the moment (40).", _provider, True),
    50: ("The gateway had an internal error for the moment (50).", _provider, True),
    51: ("The gateway had an internal error for the moment (51).", _provider, True),
    52: ("The gateway had an internal error for the moment (52).", _provider, True),
    53: ("The gateway had a lasting internal error (53).", _provider, False),
    54: ("The gateway had a lasting internal error (54).", _provider, False),
    55: ("The gateway had a lasting internal error (55).", _provider, False),
    56: ("The gateway had an internal error for the moment (56).", _provider, True),
    # Filters
    60: (
        "The sender is blocked; in the USA: its 10DLC campaign is not active. Use a cleared sender.",
        _integrator,
        False,
    ),
    61: ("Messages to this number are blocked.", _recipient, False),
    62: ("A word in the text is blocked; in the USA: a spam filter stopped it.", _sender, False),
    63: ("The message centre's address is blocked.", _provider, False),
    64: (
        "A quota is used up; in the USA: the 10DLC sending limit is reached or the toll-free number is not verified.",
        _integrator,
        False,
    ),
    65: ("The message ran in a circle between networks.", _provider, False),
    66: ("The encoding of the message is blocked.", _sender, False),
    67: ("A header element of the message is blocked.", _sender, False),
    # Systems between Sinch and the network
    70: ("A connected system had an error for the moment (70).", _provider, True),
    71: ("A connected system had an error for the moment (71).", _provider, True),
    72: ("A connected system had a lasting error (72).", _provider, False),
    73: ("A connected system had an error for the moment (73).", _provider, True),
    74: ("A connected system had an error for the moment (74).", _provider, True),
    75: ("A connected system had an error for the moment (75).", _provider, True),
    76: ("A connected system had an error for the moment (76).", _provider, True),
    77: ("Looking the subscriber's identity up is blocked.", _provider, False),
    # The operator's message centre
    100: ("The operator's message centre can't identify the subscriber.", _recipient, False),
    101: ("The operator's message centre does not support what was asked, for the moment.", _provider, True),
    102: ("The operator's message centre failed.", _provider, True),
    103: ("The operator's message centre met a value that it did not expect.", _provider, False),
    104: ("The operator's message centre missed data.", _provider, False),
    105: ("The operator's message centre reports a protocol error of the equipment.", _recipient, False),
    106: ("The address of the operator's message centre is not known.", _provider, True),
    107: ("The operator's message centre is overloaded.", _nobody, True),
    108: ("The operator's message centre finds an address in the message invalid.", _sender, False),
    109: ("The recipient is no subscriber of this message centre.", _recipient, True),
    110: ("The operator's message centre rejected the message.", _unknown, False),
    111: ("The operator's message centre gave the delivery up locally.", _nobody, True),
    112: ("The operator's message centre broke the delivery off.", _nobody, True),
    113: ("The operator's message centre had an internal error.", _provider, False),
    114: ("The operator's message centre had an error that it doesn't name.", _unknown, True),
    # The operator's register of subscribers
    150: ("The number belongs to no subscriber.", _recipient, False),
    151: ("The recipient's subscription is barred from receiving.", _recipient, False),
    152: ("The recipient's subscription does not include text messages.", _recipient, False),
    153: ("The recipient's phone is off or out of reach.", _recipient, True),
    154: ("The operator's register does not support what was asked.", _provider, False),
    155: ("The operator's register failed.", _provider, True),
    156: ("The operator's register met a value that it did not expect.", _provider, False),
    157: ("The operator's register missed data.", _provider, False),
    158: ("The recipient's phone has no room for more messages.", _recipient, True),
    159: ("The recipient's phone can't be reached.", _recipient, True),
    160: ("The operator's register rejected the request.", _unknown, False),
    161: ("The operator's register gave the request up locally.", _nobody, True),
    162: ("The operator's register broke the request off.", _nobody, True),
    163: ("The operator's register had an internal error.", _provider, False),
    164: ("The operator's register had an error that it doesn't name.", _unknown, True),
    # The switch that serves the recipient
    200: ("The switch that serves the recipient can't identify the subscriber for the moment.", _recipient, True),
    201: ("The recipient's phone is switched off.", _recipient, True),
    202: ("The recipient's phone does not answer the network.", _recipient, True),
    203: ("The recipient's phone is busy with another message.", _recipient, True),
    204: ("The switch that serves the recipient does not support what was asked.", _provider, False),
    205: ("The recipient is not a lawful subscriber there.", _recipient, False),
    206: ("The recipient's equipment is not allowed on the network.", _recipient, False),
    207: ("The switch that serves the recipient failed.", _provider, True),
    208: ("The switch that serves the recipient met a value that it did not expect.", _provider, False),
    209: ("The switch that serves the recipient missed data.", _provider, False),
    210: ("The memory of the recipient's phone is full.", _recipient, True),
    211: ("The recipient's equipment has a protocol error.", _recipient, True),
    212: ("The recipient's equipment can't take text messages as it is.", _recipient, True),
    213: ("The switch that serves the recipient rejected the message.", _unknown, False),
    214: ("The switch that serves the recipient gave the delivery up locally.", _nobody, True),
    215: ("The switch that serves the recipient broke the delivery off.", _nobody, True),
    216: ("The switch that serves the recipient had an internal error.", _provider, False),
    217: ("The switch that serves the recipient had an error that it doesn't name.", _unknown, True),
    # Barring
    250: ("The sender is not on its own list of allowed destinations.", _integrator, False),
    251: ("The destination is on the sender's own list of barred ones.", _integrator, False),
    252: ("The sender's operator does not allow this destination.", _integrator, False),
    253: ("The sender's operator bars this destination.", _integrator, False),
    254: ("The recipient takes messages from chosen senders only.", _recipient, False),
    255: ("The recipient has barred this sender.", _recipient, False),
    256: ("The recipient's operator allows chosen senders only.", _recipient, False),
    257: (
        "The recipient's operator bars this sender; from a toll-free number in the USA: the person replied STOP.",
        _recipient,
        False,
    ),
    # Errors that a connected system answered
    300: ("A connected system finds the recipient's number invalid.", _sender, False),
    301: ("A connected system finds the numbering plan of the recipient's number invalid.", _sender, False),
    302: ("A connected system finds the type of the recipient's number invalid.", _sender, False),
    303: ("A connected system finds the flag of the destination invalid.", _provider, False),
    304: ("A connected system finds the count of destinations invalid.", _provider, False),
    310: ("A connected system finds the sender invalid.", _sender, False),
    311: ("A connected system finds the numbering plan of the sender invalid.", _sender, False),
    312: ("A connected system finds the type of the sender invalid.", _sender, False),
    320: ("The receiving system has a lasting error.", _provider, False),
    321: ("The receiving system rejected the message.", _unknown, False),
    322: ("The receiving system has an error for the moment.", _provider, None),
    330: ("A connected system finds the length of the request invalid.", _provider, False),
    331: ("A connected system finds the service type invalid.", _provider, False),
    332: ("A connected system does not know the operation.", _provider, False),
    333: ("A connected system does not allow the operation.", _integrator, False),
    334: ("A connected system finds a parameter invalid; in the USA: tag data or a sub-address.", _provider, False),
    335: ("A connected system does not allow a parameter.", _provider, False),
    336: ("A connected system finds the length of a parameter invalid.", _provider, False),
    337: ("A connected system finds an optional parameter invalid.", _provider, False),
    338: ("A connected system misses an optional parameter.", _provider, False),
    339: ("A connected system finds the expiry invalid.", _sender, False),
    340: ("A connected system finds the time to send at invalid.", _sender, False),
    341: ("A connected system finds the distribution list invalid.", _provider, False),
    342: ("A connected system finds the message class invalid.", _provider, False),
    343: ("A connected system finds the length of the message invalid.", _sender, False),
    344: ("A connected system finds the message's reference invalid.", _provider, False),
    345: ("A connected system finds the count of messages invalid.", _provider, False),
    346: ("A connected system does not know the predefined message.", _provider, False),
    347: ("A connected system finds the priority invalid.", _provider, False),
    348: ("A connected system finds the replace flag invalid.", _provider, False),
    349: (
        "A connected system failed the request; in the USA: invalid message, no route, or blocked by the operator.",
        _unknown,
        False,
    ),
    350: ("A connected system finds the request for a delivery report invalid.", _provider, True),
    360: ("A connected system's queue is full.", _nobody, True),
    361: ("A connected system had an outside error for the moment (361).", _provider, True),
    362: ("A connected system had an outside error for the moment (362).", _provider, True),
    370: ("A connected system can't find what it needs to know.", _provider, True),
    399: ("A connected system had an error that it doesn't name.", _unknown, True),
}

# Codes by receipt that concern more than one message: who is left waits until they are mended.
_WIDER = {413: Scope.account, 60: Scope.account, 410: Scope.country, 412: Scope.country}
_NOT_FINAL = {400, 401}

# code: (meaning, whose turn, scope, whether sending again may help)
_HTTP: dict[str, tuple[str, Turn, Scope, bool | None]] = {
    "400": ("The request is not as the API wants it.", _sender, Scope.unknown, False),
    "401": ("The API token, or the project's access token, was not accepted.", _integrator, Scope.account, False),
    "402": ("The account has no credit.", _integrator, Scope.account, False),
    "403": ("The account may not do this.", _integrator, Scope.account, False),
    "404": ("There is no such service plan, project or address in this region.", _integrator, Scope.account, False),
    "405": ("The address does not take this kind of request.", _integrator, Scope.account, False),
    "408": (
        "The API waited too long for the request; whether it was taken is not known.",
        _nobody,
        Scope.unknown,
        None,
    ),
    "413": ("The request is larger than the API takes.", _provider, Scope.unknown, False),
    "415": ("The address does not take JSON.", _integrator, Scope.account, False),
    "429": ("Too many requests are outstanding; the API wants us to wait.", _nobody, Scope.account, True),
    "500": (
        "The API had an internal error; whether the request was taken is not known.",
        _provider,
        Scope.unknown,
        None,
    ),
    "503": (
        "A part of the API is not available; whether the request was taken is not known.",
        _provider,
        Scope.unknown,
        None,
    ),
    "syntax_invalid_json": ("The API could not read the request as JSON.", _provider, Scope.unknown, False),
    "syntax_invalid_parameter_format": (
        "A field is not in the form that the API wants, a phone number for instance.",
        _sender,
        Scope.unknown,
        False,
    ),
    "syntax_constraint_violation": (
        "A field is missing, too long, or at odds with another one.",
        _sender,
        Scope.unknown,
        False,
    ),
    "unknown_group": ("The group does not exist or was deleted.", _sender, Scope.campaign, False),
    "unknown_campaign": (
        "The sender belongs to no campaign that is registered for this service plan.",
        _sender,
        Scope.campaign,
        False,
    ),
    "missing_callback_url": (
        "Delivery reports were asked for, but the service plan has no address to send them to.",
        _integrator,
        Scope.account,
        False,
    ),
    "illegal_number_type": (
        "The service plan may not use a number of this type.",
        _integrator,
        Scope.account,
        False,
    ),
    # As an edition of the API's guide spells it.
    "llegal_number_type": (
        "The service plan may not use a number of this type.",
        _integrator,
        Scope.account,
        False,
    ),
    "blocked_account": (
        "The account is blocked, for want of credit or by Sinch.",
        _integrator,
        Scope.account,
        False,
    ),
    "batch_already_dispatched": ("The batch was sent already and can't be changed.", _nobody, Scope.unknown, False),
    "conflict_group_name": ("Another group has this name.", _sender, Scope.campaign, False),
    "conflict_send_at": ("The batch was sent already and can't be cancelled.", _nobody, Scope.unknown, False),
    **tokens.REFUSALS,
}


def _delivery_code(source: StatusCodeSource, code: int, meaning: str, turn: Turn, retry: bool | None) -> ErrorCode:
    return ErrorCode(
        code=str(code),
        source=source,
        meaning=meaning,
        turn=turn,
        scope=_WIDER.get(code, Scope.recipient),
        final=code not in _NOT_FINAL,
        retry=retry,
    )


def _catalogue() -> Catalogue:
    entries = [
        _delivery_code(source, code, *words)
        for source, table in ((StatusCodeSource.report, _REPORT), (StatusCodeSource.smpp, _SMPP))
        for code, words in table.items()
    ]
    entries += [
        ErrorCode(code=code, source=StatusCodeSource.http, meaning=meaning, turn=turn, scope=scope, retry=retry)
        for code, (meaning, turn, scope, retry) in _HTTP.items()
    ]
    return {(entry.source, entry.code): entry for entry in entries}


CODES: Catalogue = _catalogue()
