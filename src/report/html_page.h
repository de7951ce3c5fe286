// The frame of a self-contained HTML report: one file, no resource from elsewhere, light and dark.
#pragma once

#include <string>
#include <string_view>

namespace assay::report {

// Text from a model, a path or a flag as HTML shows it, in an attribute too.
std::string EscapeHtml(std::string_view text);

// The whole page; `title` is plain text, `body` is HTML.
std::string HtmlPage(std::string_view title, std::string_view body);

}  // namespace assay::report
