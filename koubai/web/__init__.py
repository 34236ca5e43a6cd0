"""The laboratory in a browser: ``koubai serve``. Only that command imports what is here, so that nothing else waits for NiceGUI."""
