"""How a sandbox is started and ended: Docker, gVisor, bubblewrap, none; its walls."""
