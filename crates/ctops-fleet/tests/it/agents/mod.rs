mod adoption;
mod api;
mod approval;
mod certificates;
mod leases;
mod registration;
mod trust;
