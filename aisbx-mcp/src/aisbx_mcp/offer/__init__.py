"""What is installed for clients, as the SDK serves it: tools, prompts, resources, and what goes with them."""
