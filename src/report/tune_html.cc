#include "report/html_page.h"
#include "report/tune_report.h"

namespace assay::report {

std::string TuneHtml(const TuneContext& context, const tune::TuneResult& result) {
  return HtmlPage("assay tune: " + context.source, fmt::format("<section class=\"card\"><pre>{}</pre></section>",
                                                               EscapeHtml(TuneText(context, result))));
}

}  // namespace assay::report
