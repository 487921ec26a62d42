"""What people are told who set the SMS API up, or whose credentials it refuses.

Source: the official SDKs' README (end of sale), and Sinch's help pages "Sinch Access Keys" and "How do I assign a
callback URL to an SMS service?" (where the dashboard shows what).
"""

CONVERSATION_API = (
    "Sinch's Conversation API, which sends SMS too (the provider sinch-conversation, where `connector plugins` "
    "lists it)"
)

GUIDANCE = (
    "You need a service plan, its API token and its region. The Sinch Build Dashboard shows them under SMS, Service "
    "APIs. A project made before 16 April 2026, in the region us or eu, can use its project ID and an access key "
    "instead: click your profile icon, then Access Keys. Sinch offers the SMS API to nobody new: if you have neither, "
    f"use {CONVERSATION_API}."
)

SERVICE_PLAN = (
    "Copy api_token and service_plan_id anew from the Sinch dashboard, and check that region is the plan's own: a "
    "token works with its own plan in its own region only."
)

ACCESS_KEY = (
    "Copy key_id and key_secret anew from the page Access Keys of the Sinch dashboard; the secret is shown only when a "
    "key is made, so if it is lost make a new key."
)

KEY_REFUSED_BY_API = (
    "Sinch gave the access key a token, so the key is right; but in projects made after 15 April 2026 the SMS API "
    "takes no access keys. Put service_plan_id and api_token of a service plan in place of project_id, key_id and "
    f"key_secret, or use {CONVERSATION_API}. In an older project, check project_id and region."
)


def replies(address: str, service_plan_id: str | None) -> str:
    """How replies are brought to an address of ours."""
    plan = "the service plan" if service_plan_id is None else f"the service plan {service_plan_id}"
    return (
        f"In the Sinch Build Dashboard open SMS, Service APIs, and click {plan}. Under Callback URLs choose Add "
        f"callback URL (or Edit), paste {address} as the Incoming URL, and click Configure."
    )
