mod install;
mod settings;
mod tokens;
