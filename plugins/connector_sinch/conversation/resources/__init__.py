"""The resources of a Conversation API project as a typed client.

with Http() as http: ...                       # or `connector.Connector`, which owns one
project = Project(Connection(integration, http))
for contact in project.contacts.list(): ...
"""

from connector_sinch.conversation.resources.project import Project

__all__ = ["Project"]
