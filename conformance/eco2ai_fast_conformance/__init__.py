"""Does an energy meter tell the truth? Scenarios of known power, played to any tool; README.md beside this folder."""
