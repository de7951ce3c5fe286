#include "report/tune_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace assay::report {
namespace {

using testing::HasSubstr;
using testing::Not;
using tune::Point;
using tune::TuneResult;

Point PointOf(const char* name, int64_t correct, uint64_t bytes, double us) {
  Point point;
  point.name = name;
  point.bytes = bytes;
  point.report = eval::WilsonInterval(correct, 100);
  point.latency.us = us;
  point.latency.ratio = us / 200;
  point.report_sqnr_db = 20;
  return point;
}

// Names that try to break out of the page.
TuneResult Hostile() {
  TuneResult result;
  result.split = {{1}, {2, 3}, {4}};
  result.points = {PointOf("float32", 90, 4000, 200), PointOf("dynamic", 88, 1200, 180), PointOf("int8", 89, 1000, 90)};
  result.points[0].is_source = result.points[0].on_front = true;
  result.points[0].report_sqnr_db = HUGE_VAL;
  result.points[0].file = "float32.tflite";
  result.points[1].is_baseline = true;
  result.points[2].on_front = result.points[2].is_chosen = true;
  result.points[2].file = "<b>int8</b>.tflite";
  tune::LayerCost layer;
  layer.op = 3;
  layer.name = "CONV_2D";
  layer.tensor = "<script>alert('x')</script>";
  layer.weights = 12;
  layer.samples = 48;
  layer.int8 = {1, 100, 2};
  layer.int4 = tune::AloneCost{HUGE_VAL, 100, 5};
  result.layers = {layer};
  result.dominance = {{"dynamic", "int8", 1, 0.83, 0.5, 1, 2}};
  result.within_budget = true;
  result.choice = "the smallest within --max-drop 0.02";
  result.notes = {"<note>"};
  return result;
}

const TuneContext kContext = {"m<x>.h5", "out", "folder:a\"b", "scale=1/255", "xnnpack@2.3.0/x86"};

TEST(TuneHtmlTest, EscapesWhatModelsAndPathsSay) {
  const std::string html = TuneHtml(kContext, Hostile());
  for (const char* raw : {"<script>alert", "<b>int8", "m<x>", "<note>", "a\"b"}) {
    EXPECT_THAT(html, Not(HasSubstr(raw))) << raw;
  }
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;"));
  for (const char* elsewhere : {"http:", "https:", "src=\"", "url(", "@import", "<link"}) {
    EXPECT_THAT(html, Not(HasSubstr(elsewhere))) << elsewhere;
  }
}

TEST(TuneHtmlTest, DrawsEveryModelInBothPanels) {
  const std::string html = TuneHtml(kContext, Hostile());
  size_t dots = 0;
  for (size_t at = html.find("<a href=\"#p"); at != std::string::npos; at = html.find("<a href=\"#p", at + 1)) ++dots;
  EXPECT_EQ(dots, 6U);
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_THAT(html, Not(HasSubstr("inf\"")));
}

TEST(TuneHtmlTest, ManagesWithOneModelAndNoAnswers) {
  TuneResult result;
  result.objective = tune::Objective::kError;
  result.points = {PointOf("float32", 0, 4000, 200)};
  result.points[0].is_source = result.points[0].on_front = true;
  result.points[0].report_sqnr_db = HUGE_VAL;
  result.layers_missing = "op 3 depends on more than its operands";
  const std::string html = TuneHtml(kContext, result);
  EXPECT_THAT(html, HasSubstr("<svg"));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_THAT(html, HasSubstr("depends on more"));
  EXPECT_TRUE(nlohmann::json::accept(TuneJson(kContext, result)));
  EXPECT_THAT(TuneText(kContext, result), HasSubstr("neither labels nor classes"));
}

TEST(TuneJsonTest, HoldsTheFactsOfTheText) {
  const auto json = nlohmann::json::parse(TuneJson(kContext, Hostile()));
  EXPECT_EQ(json["chosen"], "<b>int8</b>.tflite");
  EXPECT_EQ(json["points"].size(), 3U);
  EXPECT_TRUE(json["points"][0]["sqnr_db"].is_null()) << "JSON has no infinity";
  EXPECT_EQ(json["points"][2]["accuracy"]["correct"], 89);
  EXPECT_EQ(json["dominance"][0]["by"], "int8");
  EXPECT_EQ(json["layers"][0]["int8"]["sqnr_db"], 20);
  const std::string text = TuneText(kContext, Hostile());
  EXPECT_THAT(text, HasSubstr("  * <b>int8</b>.tflite"));
  EXPECT_THAT(text, HasSubstr("dynamic (TensorFlow's default) is dominated by int8: 1 more right"));
  EXPECT_THAT(text, HasSubstr("chosen: out/<b>int8</b>.tflite (the smallest within --max-drop 0.02)"));
}

}  // namespace
}  // namespace assay::report
