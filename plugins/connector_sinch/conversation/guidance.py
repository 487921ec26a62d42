"""What people are told who set the Conversation API up, or whose credentials it refuses.

Source: the Conversation API's page "Getting started", and Sinch's help page "Sinch Access Keys".
"""

GUIDANCE = (
    "You need a project, an access key of it, and an app with at least one channel, which can be made here. In the "
    "Sinch Build Dashboard click your profile icon, then Access Keys: the page shows the project ID, and makes a key "
    "(its secret is shown once). Apps stand under Conversation API; the region is the one that the app was made in."
)

ACCESS_KEY = (
    "Copy key_id and key_secret anew from the page Access Keys of the Sinch dashboard; the secret is shown only when a "
    "key is made, so if it is lost make a new key."
)

REGION = (
    "An app is found only in the region that it was made in: check app_id, project_id and region of this integration, "
    "and base_url and batch_base_url if they are set."
)
