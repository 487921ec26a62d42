"""The Sinch Conversation API as a provider: SMS, RCS, WhatsApp and other channels behind one door."""
