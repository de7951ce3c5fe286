// The picture of `inspect`: boxes for ops, lines for tensors, placed by LayOutGraph.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "graph/verifier.h"
#include "report/graph_layout.h"
#include "report/inspect_boxes.h"
#include "report/inspect_report.h"
#include "report/svg_text.h"

namespace assay::report {
namespace {

using runtime::ModelFacts;
using runtime::OpFacts;
using runtime::SubgraphFacts;

constexpr size_t kMaxAllBoxes = 3000;  // of all graphs together; what comes behind is named only
constexpr size_t kMaxTooltip = 1200;   // bytes
constexpr double kMargin = 28, kLineHeight = 15, kPanelGap = 46, kLeastWidth = 620;
constexpr double kTitleSize = 12, kTextSize = 10.5, kLabelSize = 10;

// Light and dark, by family.
struct Colour {
  const char *light, *dark;
};
constexpr std::array<Colour, static_cast<size_t>(OpFamily::kCount)> kColours = {{{"#2f6fde", "#6ea3ff"},
                                                                                 {"#0d95a6", "#44cbd9"},
                                                                                 {"#5b52d6", "#9b94ff"},
                                                                                 {"#a23cc0", "#d484ec"},
                                                                                 {"#2b9a4c", "#63cd82"},
                                                                                 {"#de7417", "#ffa75a"},
                                                                                 {"#b58c00", "#e6c04a"},
                                                                                 {"#758294", "#9fadbf"},
                                                                                 {"#d34a8d", "#ff8fc3"},
                                                                                 {"#93653a", "#d0a074"},
                                                                                 {"#b5372b", "#ff857a"}}};

constexpr std::string_view kStyle = R"css(
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-size:10.5px;fill:#4a5564}
.page{fill:#f6f7f9}.h{font-size:18px;font-weight:650;fill:#1b2330}.p{font-size:12.5px}.c{font-size:13px;font-weight:600;fill:#1b2330}
.t{font-size:12px;font-weight:650;fill:#1b2330}.i{font-size:10px;fill:#7b8697}.d{fill:#4a5564}
.b{fill:#fff;stroke:#d3d9e1}.e{fill:none;stroke:#8b97a7;stroke-width:1.5}.a{fill:#8b97a7}
.l{font-size:10px;fill:#3c4654;stroke:#f6f7f9;stroke-width:3.5px;stroke-linejoin:round;paint-order:stroke}.q{fill:#7b8697}
.end .b{fill:#e8ecf2;stroke:#aab4c2}.n0 .b{stroke:#c22f2f;stroke-width:2.4}.n1 .b{stroke-dasharray:4 3;stroke:#8b97a7}
.g:hover .b{stroke:#1b2330;stroke-width:1.6}.e:hover{stroke:#1b2330;stroke-width:2.6}.bad{fill:#c22f2f}
@media(prefers-color-scheme:dark){text{fill:#a9b4c2}.page{fill:#12161d}.h,.c,.t{fill:#e9edf3}.i,.q{fill:#8793a3}.d{fill:#b4bfcc}
.b{fill:#1b212b;stroke:#38424f}.e{stroke:#6f7c8d}.a{fill:#6f7c8d}.l{fill:#c4cdd8;stroke:#12161d}.q{fill:#8793a3}
.end .b{fill:#262e3a;stroke:#566274}.n0 .b{stroke:#ff7b74}.n1 .b{stroke:#6f7c8d}.bad{fill:#ff7b74}
.g:hover .b{stroke:#e9edf3}.e:hover{stroke:#e9edf3}}
)css";

class Panel {
 public:
  Panel(const ModelFacts& facts, size_t subgraph, int64_t most_macs)
      : graph_(facts.model->subgraphs[subgraph]),
        sub_(facts.subgraphs[subgraph]),
        content_(MakeGraphBoxes(facts, subgraph, most_macs)) {
    LayOut();
  }

  double width() const { return layout_.width; }
  double height() const { return layout_.height; }
  const GraphBoxes& content() const { return content_; }

  std::string Draw() const {
    std::string svg;
    for (const LayoutPath& path : layout_.paths) svg += DrawPath(path);
    for (size_t i = 0; i < content_.boxes.size(); ++i) svg += DrawBox(i);
    for (size_t k = 0; k < content_.nets.size(); ++k) svg += DrawLabel(k);
    return svg;
  }

 private:
  const graph::Tensor& tensor(int32_t i) const { return graph_.tensors[static_cast<size_t>(i)]; }
  const runtime::TensorFacts& facts(int32_t i) const { return sub_.tensors[static_cast<size_t>(i)]; }

  void LayOut() {
    for (Box& box : content_.boxes) {
      double width = TextWidth(box.title, kTitleSize) + TextWidth(box.side, kLabelSize) + 48;
      for (const std::string& line : box.lines) width = std::max(width, TextWidth(line, kTextSize) + 26);
      width = std::clamp(width, 130.0, 270.0);
      if (box.ports.size() > 1) width = std::max(width, 125.0 * static_cast<double>(box.ports.size()));
      box.title = Fit(box.title, kTitleSize, width - TextWidth(box.side, kLabelSize) - 30);
      for (std::string& line : box.lines) line = Fit(line, kTextSize, width - 24);
      const double foot = box.share > 0 ? 14 : 9;
      const double height = (box.is_end ? 17 : 22) + foot + kLineHeight * static_cast<double>(box.lines.size());
      nodes_.push_back({.width = width, .height = height, .ports = std::max(1, static_cast<int>(box.ports.size()))});
    }
    layout_ = LayOutGraph({nodes_, content_.nets});
    if (!layout_.omitted.empty()) {
      content_.notes.push_back(fmt::format("{} long lines are left out.", layout_.omitted.size()));
    }
  }

  std::string DrawBox(size_t i) const {
    const Box& box = content_.boxes[i];
    const LayoutNode& node = nodes_[i];
    const Point at = layout_.nodes[i];
    std::string tooltip = fmt::format("{}", fmt::join(box.tooltip, "\n"));
    if (tooltip.size() > kMaxTooltip) tooltip = tooltip.substr(0, kMaxTooltip) + "\u2026";
    const bool is_end = box.is_end;
    std::string svg = fmt::format(
        "<g class=\"{}\" transform=\"translate({:.1f} {:.1f})\"><title>{}</title><rect class=\"b\" width=\"{:.1f}\" "
        "height=\"{:.1f}\" rx=\"{}\"/>",
        box.css, at.x, at.y, Xml(tooltip), node.width, node.height, is_end ? 14 : 7);
    if (!is_end) {
      svg += fmt::format("<path class=\"s\" d=\"M7 0h{:.1f}a7 7 0 0 1 7 7v1h-{:.1f}v-1a7 7 0 0 1 7-7z\"/>",
                         node.width - 14, node.width);
    }
    const double first = is_end ? 17 : 22;
    svg += fmt::format("<text class=\"t\" x=\"12\" y=\"{:.0f}\">{}</text>", first, Xml(box.title));
    if (!box.side.empty()) {
      svg += fmt::format("<text class=\"i\" x=\"{:.1f}\" y=\"{:.0f}\" text-anchor=\"end\">{}</text>", node.width - 10,
                         first, Xml(box.side));
    }
    for (size_t k = 0; k < box.lines.size(); ++k) {
      svg += fmt::format("<text class=\"d\" x=\"12\" y=\"{:.0f}\">{}</text>",
                         first + kLineHeight * static_cast<double>(k + 1), Xml(box.lines[k]));
    }
    if (box.share > 0) {
      svg += fmt::format("<rect class=\"s\" x=\"8\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"3\" rx=\"1.5\"/>",
                         node.height - 6, std::max(2.0, (node.width - 16) * box.share));
    }
    return svg + "</g>\n";
  }

  static std::string Line(const LayoutPath& path) {
    std::string d = fmt::format("M{:.1f} {:.1f}", path.points[0].x, path.points[0].y);
    for (size_t i = 1; i < path.points.size(); ++i) {
      const Point a = path.points[i - 1], b = path.points[i];
      if (std::abs(a.x - b.x) < 0.05 && std::abs(a.y - b.y) < 0.05) continue;
      if (path.turns_column) {
        // Right angles with round corners.
        constexpr double kRadius = 8;
        if (i + 1 == path.points.size()) {
          d += fmt::format("L{:.1f} {:.1f}", b.x, b.y);
          continue;
        }
        const Point c = path.points[i + 1];
        const auto towards = [&](Point from, Point to) {
          const double length = std::hypot(to.x - from.x, to.y - from.y);
          const double t = length > 0 ? std::min(kRadius, length / 2) / length : 0;
          return Point{from.x + (to.x - from.x) * t, from.y + (to.y - from.y) * t};
        };
        const Point p = towards(b, a), q = towards(b, c);
        d += fmt::format("L{:.1f} {:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}", p.x, p.y, b.x, b.y, q.x, q.y);
      } else if (std::abs(a.x - b.x) < 0.05) {
        d += fmt::format("V{:.1f}", b.y);
      } else {
        // It crosses below the shape that is written at its start.
        const double middle = a.y + 0.7 * (b.y - a.y);
        d += fmt::format("C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", a.x, middle, b.x, middle, b.x, b.y);
      }
    }
    return d;
  }

  std::string DrawPath(const LayoutPath& path) const {
    const int32_t i = content_.tensor_of_net[static_cast<size_t>(path.net)];
    return fmt::format("<path class=\"e\"{} d=\"{}\"><title>{}</title></path>\n",
                       path.to >= 0 ? " marker-end=\"url(#arrow)\"" : "", Line(path),
                       i < 0 ? "several tensors" : Xml(TensorLine(tensor(i), facts(i))));
  }

  std::string DrawLabel(size_t k) const {
    const int32_t i = content_.tensor_of_net[k];
    if (i < 0) return {};
    const LayoutNet& net = content_.nets[k];
    const auto from = static_cast<size_t>(net.from);
    const double x = layout_.nodes[from].x + PortOffset(nodes_[from], net.port);
    const double y = layout_.nodes[from].y + nodes_[from].height;
    // On the side that no line goes to.
    bool right = false, left = false;
    for (const LayoutPath& path : layout_.paths) {
      if (path.net != static_cast<int>(k) || path.points.size() < 3 || std::abs(path.points[0].y - y) > 0.1) continue;
      right |= path.points[2].x > x + 6;
      left |= path.points[2].x < x - 6;
    }
    const bool to_left = right && !left && content_.boxes[from].ports.size() == 1;
    const std::string attributes =
        fmt::format("x=\"{:.1f}\"{}", to_left ? x - 6 : x + 6, to_left ? " text-anchor=\"end\"" : "");
    const graph::Tensor& info = tensor(i);
    std::string second(DTypeName(info.dtype));
    if (info.quantization.is_per_channel()) {
      second += " per channel";
    } else if (info.quantization.is_quantized()) {
      second += fmt::format(" {:.4g}, {}", static_cast<double>(info.quantization.scale[0]),
                            info.quantization.first_zero_point());
    }
    return fmt::format("<text class=\"l\" {} y=\"{:.1f}\">{}</text><text class=\"l q\" {} y=\"{:.1f}\">{}</text>\n",
                       attributes, y + 14, Xml(ShapeLabel(info, facts(i))), attributes, y + 26, Xml(second));
  }

  const graph::Subgraph& graph_;
  const SubgraphFacts& sub_;
  GraphBoxes content_;
  std::vector<LayoutNode> nodes_;
  LayoutResult layout_;
};

std::string FileName(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

// #rrggbb of two colours mixed; `share` of the first.
std::string Mix(std::string_view a, std::string_view b, double share) {
  const auto part = [](std::string_view colour, size_t k) {
    return std::stoi(std::string(colour.substr(1 + 2 * k, 2)), nullptr, 16);
  };
  std::string text = "#";
  for (size_t k = 0; k < 3; ++k) {
    text += fmt::format("{:02x}", static_cast<int>(std::lround(part(a, k) * share + part(b, k) * (1 - share))));
  }
  return text;
}

// Written out for each family: many viewers of SVG know no variables.
std::string FamilyStyles(const std::set<OpFamily>& families) {
  std::string light, dark;
  for (const OpFamily family : families) {
    const auto k = static_cast<size_t>(family);
    const Colour& colour = kColours[k];
    light +=
        fmt::format(".f{} .s{{fill:{}}}.f{} .b{{fill:{}}}", k, colour.light, k, Mix(colour.light, "#ffffff", 0.07));
    dark += fmt::format(".f{} .s{{fill:{}}}.f{} .b{{fill:{}}}", k, colour.dark, k, Mix(colour.dark, "#1b212b", 0.1));
  }
  return fmt::format("{}\n@media(prefers-color-scheme:dark){{{}}}\n", light, dark);
}

std::vector<Panel> PanelsOf(const ModelFacts& facts) {
  int64_t most_macs = 0;
  for (const SubgraphFacts& sub : facts.subgraphs) {
    for (const OpFacts& op : sub.ops) most_macs = std::max(most_macs, op.macs.value_or(0));
  }
  std::vector<Panel> panels;
  size_t boxes = 0;
  for (size_t s = 0; s < facts.subgraphs.size() && (s == 0 || boxes < kMaxAllBoxes); ++s) {
    panels.emplace_back(facts, s, most_macs);
    boxes += std::min(facts.subgraphs[s].ops.size(), kMaxBoxes) + 2;
  }
  return panels;
}

// What stands above the graphs.
struct Heading {
  std::vector<std::string> facts, bad;
  std::set<OpFamily> families;
};

Heading HeadingOf(const ModelFacts& facts, const std::vector<Panel>& panels) {
  Heading heading;
  bool has_bars = false, has_builtin = false;
  const SubgraphFacts& main = facts.subgraphs[0];
  heading.facts.push_back(fmt::format("{} \u00b7 {} ops \u00b7 {} parameters \u00b7 {} MACs \u00b7 {}", facts.scheme,
                                      facts.operators, CountText(facts.parameters), CountText(facts.macs),
                                      BytesText(facts.model->file_bytes)));
  if (main.memory.has_value()) {
    heading.facts.push_back(fmt::format("arena {} of {} for all tensors side by side \u00b7 {}",
                                        BytesText(main.memory->arena_bytes), BytesText(main.memory->sum_bytes),
                                        facts.profile));
  }
  if (!facts.cannot_run.empty()) heading.bad.push_back("cannot run: " + facts.cannot_run);
  for (size_t p = 0; p < panels.size(); ++p) {
    const GraphBoxes& drawn = panels[p].content();
    heading.families.insert(drawn.families.begin(), drawn.families.end());
    has_bars |= drawn.has_bars;
    has_builtin |= drawn.has_builtin;
    for (const std::string& note : drawn.notes) {
      heading.facts.push_back(panels.size() > 1 ? fmt::format("Subgraph {}: {}", p, note) : note);
    }
  }
  if (panels.size() < facts.subgraphs.size()) {
    heading.facts.push_back(fmt::format("{} further subgraphs are not drawn.", facts.subgraphs.size() - panels.size()));
  }
  if (has_bars) {
    heading.facts.push_back("The bar under an op is its share of the MACs, the longest that of the costliest op.");
  }
  if (has_builtin) heading.facts.push_back("Dashed: XNNPACK does not take it, the built-in kernel does.");
  return heading;
}

struct Place {
  size_t panel = 0;
  double x = 0, y = 0;
};

struct Places {
  std::vector<Place> panels;
  double caption = 0;  // the height of each one's; 0: a single graph has none
  double width = 0, height = 0;
};

// The main graph first; the others beside each other below.
Places PlacesOf(const std::vector<Panel>& panels) {
  Places places;
  places.panels = {{0, 0, 0}};
  places.caption = panels.size() > 1 ? 26 : 0;
  places.width = std::max(panels[0].width(), kLeastWidth);
  double y = places.caption + panels[0].height() + kPanelGap, x = 0, row = 0;
  for (size_t p = 1; p < panels.size(); ++p) {
    const double width = std::max(panels[p].width(), 230.0);
    if (x > 0 && x + width > std::max(places.width, 1300.0)) {
      x = 0;
      y += row + kPanelGap;
      row = 0;
    }
    places.panels.push_back({p, x, y});
    x += width + kPanelGap;
    row = std::max(row, places.caption + panels[p].height());
    places.width = std::max(places.width, x - kPanelGap);
  }
  places.height = y + row + (panels.size() > 1 ? 0 : -kPanelGap);
  return places;
}

// `line` becomes where the graphs begin.
std::string Draw(const Heading& heading, const std::string& model, double text_width, double& line) {
  std::string head;
  line = kMargin + 16;
  const auto add_line = [&](const std::string& css, const std::string& text) {
    head += fmt::format("<text class=\"{}\" x=\"{}\" y=\"{:.0f}\">{}</text>\n", css, kMargin, line,
                        Xml(Fit(CleanText(text), css == "h" ? 18 : 12.5, text_width)));
    line += 19;
  };
  add_line("h", FileName(model));
  line += 3;
  for (const std::string& text : heading.bad) add_line("p bad", text);
  for (const std::string& text : heading.facts) add_line("p", text);
  double at = kMargin;
  for (const OpFamily family : heading.families) {
    const std::string name(OpFamilyName(family));
    const double width = TextWidth(name, 12.5) + 34;
    if (at > kMargin && at + width > kMargin + text_width) at = kMargin, line += 19;
    head += fmt::format(
        "<g class=\"f{}\"><rect class=\"s\" x=\"{:.0f}\" y=\"{:.0f}\" width=\"11\" height=\"11\" rx=\"3\"/></g>"
        "<text class=\"p\" x=\"{:.0f}\" y=\"{:.0f}\">{}</text>\n",
        static_cast<int>(family), at, line - 10, at + 16, line, Xml(name));
    at += width;
  }
  line += 26;
  return head;
}

}  // namespace

std::string InspectSvg(const std::string& model, const ModelFacts& facts) {
  const std::vector<Panel> panels = PanelsOf(facts);
  const Heading heading = HeadingOf(facts, panels);
  const Places places = PlacesOf(panels);
  double line = 0;
  const std::string head = Draw(heading, model, places.width, line);
  const double width = places.width + 2 * kMargin, height = line + places.height + kMargin;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0f}\" height=\"{:.0f}\" viewBox=\"0 0 {:.0f} {:.0f}\" "
      "role=\"img\" "
      "aria-label=\"Graph of {}\">\n<style>{}{}</style>\n"
      "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7.2\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" "
      "markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"a\" d=\"M0 .8 8 4 0 7.2z\"/></marker></defs>\n"
      "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
      width, height, width, height, Xml(FileName(model)), kStyle, FamilyStyles(heading.families));
  svg += head;
  for (const Place& place : places.panels) {
    const Panel& panel = panels[place.panel];
    if (places.caption > 0) {
      const graph::Subgraph& graph = facts.model->subgraphs[place.panel];
      const auto& callers = facts.subgraphs[place.panel].callers;
      std::string title = fmt::format("subgraph {}{}", place.panel,
                                      graph.name.empty() ? "" : " " + CleanText(graph::Printable(graph.name)));
      if (!callers.empty())
        title += fmt::format(", called by {}{}", CleanText(callers[0]), callers.size() > 1 ? " and others" : "");
      svg += fmt::format("<text class=\"c\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", kMargin + place.x,
                         line + place.y + 10, Xml(Fit(title, 13, std::max(panel.width(), 420.0))));
    }
    // A graph narrower than the head stands under its middle.
    const double shift =
        place.panel == 0 && places.caption == 0 ? std::max(0.0, (places.width - panel.width()) / 2) : 0;
    svg += fmt::format("<g transform=\"translate({:.1f} {:.1f})\">\n{}</g>\n", kMargin + place.x + shift,
                       line + place.y + places.caption, panel.Draw());
  }
  return svg + "</svg>\n";
}

}  // namespace assay::report
