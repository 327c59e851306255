//! The documentation as a static site: Markdown in `docs/`, HTML in `docs/site/`, served by the product at `/docs/`.
//! No script, no outside host; works from a disk as well.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::root;

/// Sections in the order of the navigation: folder, title.
const SECTIONS: [(&str, &str); 4] =
    [("user", "Using CT-Ops"), ("operate", "Operating"), ("reference", "Reference"), ("dev", "Development")];
/// Folders copied as they are.
const ASSETS: [&str; 1] = ["images"];

struct Page {
    /// Path below `docs/`, without `.md`.
    path: String,
    title: String,
    body: String,
    section: usize,
    order: i64,
}

/// Builds the site.
pub(crate) fn build() -> Result<()> {
    let docs = root().join("docs");
    let site = docs.join("site");
    let mut pages = vec![read_page(&docs, "index", usize::MAX)?];
    for (number, (folder, _)) in SECTIONS.iter().enumerate() {
        for name in markdown_files(&docs.join(folder))? {
            pages.push(read_page(&docs, &format!("{folder}/{name}"), number)?);
        }
    }
    pages.sort_by(|a, b| (a.section, a.order, &a.title).cmp(&(b.section, b.order, &b.title)));
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for page in &pages {
        files.insert(site.join(format!("{}.html", page.path)), render(page, &pages).into_bytes());
    }
    files.insert(site.join("style.css"), include_bytes!("docs_site.css").to_vec());
    for folder in ASSETS {
        for file in files_below(&docs.join(folder))? {
            let name = file.file_name().unwrap_or_default();
            files.insert(site.join(folder).join(name), std::fs::read(&file)?);
        }
    }
    write_changed(&site, &files)?;
    check_links(&site, &pages)
}

fn markdown_files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// A page's first line is its `# Title`; an HTML comment `<!-- order: 2 -->` may say where it stands.
fn read_page(docs: &Path, path: &str, section: usize) -> Result<Page> {
    let file = docs.join(format!("{path}.md"));
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let title =
        text.lines().find_map(|line| line.strip_prefix("# ")).context("a page begins with # Title")?;
    let order = text.split("<!-- order: ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    Ok(Page {
        path: path.to_owned(),
        title: title.to_owned(),
        body: to_html(&text),
        section: if section == usize::MAX { 0 } else { section + 1 },
        order: order.unwrap_or(100),
    })
}

/// Markdown to HTML; links to other pages get their `.html`, headings get ids, raw HTML is left out.
fn to_html(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut heading: Option<String> = None;
    let mut events = Vec::new();
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Html(_) | Event::InlineHtml(_) => {}
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let dest_url = page_link(&dest_url);
                events.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
            }
            Event::Start(Tag::Heading { .. }) => {
                heading = Some(String::new());
                events.push(event);
            }
            Event::End(TagEnd::Heading(level)) => {
                let id = slug(&heading.take().unwrap_or_default());
                set_heading_id(&mut events, level, &id);
                events.push(Event::End(TagEnd::Heading(level)));
            }
            Event::Text(ref part) | Event::Code(ref part) => {
                if let Some(collected) = heading.as_mut() {
                    collected.push_str(part);
                }
                events.push(event);
            }
            other => events.push(other),
        }
    }
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events.into_iter());
    html.replace("<table>", "<div class=\"table\"><table>").replace("</table>", "</table></div>")
}

fn set_heading_id(events: &mut [Event<'_>], level: HeadingLevel, slug: &str) {
    for event in events.iter_mut().rev() {
        if let Event::Start(Tag::Heading { level: found, id, .. }) = event
            && *found == level
        {
            *id = Some(slug.to_owned().into());
            return;
        }
    }
}

fn page_link<'a>(link: &str) -> CowStr<'a> {
    let is_page = !link.contains("://") && (link.ends_with(".md") || link.contains(".md#"));
    if is_page { link.replacen(".md", ".html", 1).into() } else { link.to_owned().into() }
}

fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

fn render(page: &Page, pages: &[Page]) -> String {
    let up = "../".repeat(page.path.matches('/').count());
    let mut navigation = String::new();
    for (number, (_, title)) in SECTIONS.iter().enumerate() {
        let _infallible = write!(navigation, "<h2>{title}</h2><ul>");
        for other in pages.iter().filter(|other| other.section == number + 1) {
            let current = if other.path == page.path { " aria-current=\"page\"" } else { "" };
            let _infallible = write!(
                navigation,
                "<li><a href=\"{up}{}.html\"{current}>{}</a></li>",
                other.path,
                escape(&other.title)
            );
        }
        navigation.push_str("</ul>");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{} - CT-Ops</title>\n\
         <link rel=\"stylesheet\" href=\"{up}style.css\">\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to the text</a>\n\
         <nav aria-label=\"Documentation\"><p class=\"brand\"><a href=\"{up}index.html\">CT-Ops</a></p>{navigation}</nav>\n\
         <main id=\"content\">\n{}</main>\n</body>\n</html>\n",
        escape(&page.title),
        page.body
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "")
}

/// Writes what differs and removes what is no page any more. What is the same is not touched: the program embeds these files
/// and would be built again.
fn write_changed(site: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    for (path, content) in files {
        if std::fs::read(path).is_ok_and(|old| old == *content) {
            continue;
        }
        std::fs::create_dir_all(path.parent().unwrap_or(site))?;
        std::fs::write(path, content).with_context(|| path.display().to_string())?;
    }
    for path in files_below(site)? {
        if !files.contains_key(&path) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// All files below a folder; none when it does not exist.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_below(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// Every relative link of every page must lead to a file of the site.
fn check_links(site: &Path, pages: &[Page]) -> Result<()> {
    let mut broken = Vec::new();
    for page in pages {
        let folder = site.join(&page.path).parent().map_or_else(PathBuf::new, Path::to_path_buf);
        for part in page.body.split("href=\"").chain(page.body.split("src=\"")).skip(1) {
            let link = part.split('"').next().unwrap_or_default().split('#').next().unwrap_or_default();
            let outside = link.is_empty() || link.contains("://") || link.starts_with(['/', '<', '\n']);
            if !outside && !link.contains(' ') && !folder.join(link).exists() {
                broken.push(format!("{}.md -> {link}", page.path));
            }
        }
    }
    broken.sort();
    broken.dedup();
    if broken.is_empty() { Ok(()) } else { bail!("links to nowhere in docs/:\n  {}", broken.join("\n  ")) }
}
