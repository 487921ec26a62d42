"""A project: everything that its access key reaches, over three hosts and by one token."""

from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.resources.apps import Apps
from connector_sinch.conversation.resources.capability import Capability
from connector_sinch.conversation.resources.channel_profile import ChannelProfiles
from connector_sinch.conversation.resources.consents import Consents
from connector_sinch.conversation.resources.contacts import Contacts
from connector_sinch.conversation.resources.conversations import Conversations
from connector_sinch.conversation.resources.events import Events
from connector_sinch.conversation.resources.host import Host
from connector_sinch.conversation.resources.messages import Messages
from connector_sinch.conversation.resources.project_settings import ProjectSettings
from connector_sinch.conversation.resources.templates import Templates
from connector_sinch.conversation.resources.webhooks import Webhooks


class Project:
    """The resources of one project, as `connection` reaches it; safe to share between threads."""

    def __init__(self, connection: Connection) -> None:
        region = connection.settings.region
        api = Host(lambda: connection.api, connection.project, region)
        batches = Host(lambda: connection.batches, connection.project, region)
        templates = Host(lambda: connection.templates, connection.template_project, region)
        self.apps = Apps(api)
        self.contacts = Contacts(api, batches)
        self.conversations = Conversations(api)
        self.messages = Messages(api)
        self.webhooks = Webhooks(api)
        self.templates = Templates(templates)
        self.consents = Consents(api, batches)
        self.capability = Capability(api)
        self.channel_profiles = ChannelProfiles(api)
        self.events = Events(api)
        self.settings = ProjectSettings(api)
