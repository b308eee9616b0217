freeze("$(PORT_DIR)/modules")
include("../manifest.py")
