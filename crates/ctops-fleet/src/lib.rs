//! Area: agents and enrolment, hosts and inventory.
