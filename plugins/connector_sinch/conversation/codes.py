"""The reasons that the Conversation API gives when a message is not delivered."""

from connector.model.codes import Catalogue

CODES: Catalogue = {}
