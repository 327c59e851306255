//! To come with the uploads.
