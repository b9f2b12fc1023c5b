"""What studio, report and notebook share: the front end's modules, and a run as plain fields."""
