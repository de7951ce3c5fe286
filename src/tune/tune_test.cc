#include "tune/tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/version.h"
#include "format/tflite/reader.h"
#include "quantize/test_samples.h"
#include "tune/journal.h"

namespace assay::tune {
namespace {

using quantize::MemorySamples;
using quantize::SmallNetwork;
using testing::HasSubstr;

template <typename Body>
std::string MessageOf(const Body& body) {
  try {
    body();
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

// A folder of its own that is gone afterwards.
class TuneTest : public testing::Test {
 protected:
  TuneTest() : samples_(Labelled(120)) {
    folder_ =
        (std::filesystem::temp_directory_path() /
         fmt::format("tune_test.{}.{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name()))
            .string();
    std::filesystem::remove_all(folder_);
    request_.model = SmallNetwork().m.Build();
    request_.dataset = &samples_;
    request_.data_spec = "memory";
    request_.folder = folder_;
    request_.minutes = 5;
    request_.turn_seconds = 1e-4;
    request_.threads = 2;
    request_.options.cancelled = &cancelled_;
  }
  ~TuneTest() override { std::filesystem::remove_all(folder_); }

  // Random inputs with the answers of the float network, one in ten spoiled.
  static MemorySamples Labelled(size_t count) {
    const MemorySamples plain = MemorySamples::Random(count, {1, 4, 4, 3});
    const auto model = SmallNetwork().m.Build();
    runtime::Interpreter interpreter(model);
    std::vector<Array> inputs;
    std::vector<int64_t> labels;
    for (size_t i = 0; i < count; ++i) {
      inputs.push_back(plain.Load(i).arrays.front().second);
      interpreter.SetInput(0, inputs.back());
      interpreter.Invoke();
      const Array scores = interpreter.Output(0);
      const auto values = scores.values<float>();
      const auto best = std::max_element(values.begin(), values.end()) - values.begin();
      labels.push_back(i % 10 == 0 ? (best + 1) % 5 : best);
    }
    return MemorySamples(std::move(inputs), std::move(labels));
  }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  MemorySamples samples_;
  std::string folder_;
  std::atomic<bool> cancelled_{false};
  TuneRequest request_;
};

TEST_F(TuneTest, FindsAFrontAndWritesItsFiles) {
  const TuneResult result = Tune(request_);
  EXPECT_EQ(result.objective, Objective::kTop1);
  EXPECT_GT(result.tried, 10U);
  EXPECT_FALSE(result.out_of_time);
  size_t on_front = 0, chosen = 0;
  for (const Point& point : result.points) {
    on_front += point.on_front;
    chosen += point.is_chosen;
    EXPECT_EQ(point.report.total, static_cast<int64_t>(result.split.report.size()));
    EXPECT_GT(point.latency.us, 0);
    EXPECT_EQ(point.file.empty(), !point.on_front);
    if (point.file.empty()) continue;
    const std::string path = folder_ + "/" + point.file;
    EXPECT_EQ(std::filesystem::file_size(path), point.bytes) << point.name;
    EXPECT_NO_THROW(tflite::ReadModel(path));
  }
  EXPECT_GE(on_front, 1U);
  EXPECT_EQ(chosen, 1U);
  EXPECT_TRUE(result.within_budget);
  EXPECT_EQ(Files().size(), on_front + 1) << "the front and the journal";
  ASSERT_FALSE(result.layers.empty());
  for (size_t i = 1; i < result.layers.size(); ++i) {
    EXPECT_GE(result.layers[i - 1].int8.noise, result.layers[i].int8.noise);
  }
}

TEST_F(TuneTest, TriesRoundingTogetherClippingAndAbsorbing) {
  Tune(request_);
  const std::string journal = ReadTextFile(folder_ + "/tune.journal");
  for (const char* part : {" adaround", " clip", " equalize absorb bias"}) {
    EXPECT_NE(journal.find(part), std::string::npos) << part;
  }
}

// The parts are disjoint, and calibration's is the one of `assay quantize`.
TEST_F(TuneTest, SamplesOfThreePartsAreApart) {
  for (const size_t size : {3U, 10U, 120U, 4000U}) {
    const Split split = SplitSamples({.size = size, .seed = 7});
    std::set<size_t> all;
    for (const auto& part : {split.calibration, split.search, split.report}) {
      EXPECT_FALSE(part.empty()) << size;
      EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
      for (const size_t i : part) EXPECT_TRUE(i < size && all.insert(i).second) << i;
    }
    EXPECT_EQ(split.calibration, quantize::ChooseSamples(size, split.calibration.size(), 7));
    EXPECT_GE(split.report.size(), split.search.size());
  }
  EXPECT_THAT(MessageOf([] { SplitSamples({.size = 100, .calibration = 99}); }), HasSubstr("at least 2 more"));
  EXPECT_THAT(MessageOf([] { SplitSamples({.size = 100, .calibration = 0}); }), HasSubstr("--samples 0"));
  EXPECT_THAT(MessageOf([] { SplitSamples({.size = 0}); }), HasSubstr("no samples"));
}

TEST_F(TuneTest, GoesOnFromTheJournal) {
  const TuneResult first = Tune(request_);
  EXPECT_EQ(first.from_journal, 0U);
  request_.threads = 1;
  const TuneResult again = Tune(request_);
  EXPECT_GT(again.from_journal, first.tried / 2);
  EXPECT_EQ(again.tried, first.tried);
  for (const Point& point : again.points) {
    const auto same = std::find_if(first.points.begin(), first.points.end(),
                                   [&](const Point& other) { return other.name == point.name; });
    ASSERT_NE(same, first.points.end()) << point.name;
    EXPECT_EQ(same->report.correct, point.report.correct);
    EXPECT_EQ(same->bytes, point.bytes);
  }
}

TEST_F(TuneTest, AnInterruptedSearchGoesOn) {
  size_t lines = 0;
  request_.log = [&](const std::string&) { cancelled_ = ++lines == 5; };
  EXPECT_THAT(MessageOf([&] { Tune(request_); }), HasSubstr("goes on from there"));
  cancelled_ = false;
  EXPECT_EQ(Files(), std::vector<std::string>{"tune.journal"});
  // As if it had been killed within a line.
  std::ofstream(folder_ + "/tune.journal", std::ios::app) << R"({"name": "built int8 min)";
  const TuneResult result = Tune(request_);
  EXPECT_GT(result.from_journal, 2U);
  EXPECT_TRUE(result.within_budget);
}

TEST_F(TuneTest, AJournalOfAnotherRunIsRefused) {
  request_.log = [&](const std::string&) { cancelled_ = true; };
  EXPECT_THROW(Tune(request_), Error);
  cancelled_ = false;
  request_.log = nullptr;
  request_.seed = 3;
  EXPECT_THAT(MessageOf([&] { Tune(request_); }), HasSubstr("--seed was 0, is 3"));
  request_.seed = 0;
  MemorySamples others = Labelled(120);
  others.samples()[5].values<float>()[0] += 1;
  request_.dataset = &others;
  EXPECT_THAT(MessageOf([&] { Tune(request_); }), HasSubstr("data was"));
}

// Before 0.1.0 was out, files were told apart by another checksum.
TEST_F(TuneTest, AJournalWithChecksumsOfOldIsRefused) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/tune.journal")
      << R"({"assay tune": {"version": ")" << kVersion << R"(", "model": "0123456789abcdef"}})"
      << "\n";
  EXPECT_THAT(MessageOf([&] { Tune(request_); }), HasSubstr("checksums was null, is 'XXH64'; name another folder"));
}

TEST_F(TuneTest, ADamagedJournalIsSaidToBe) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/tune.journal") << "hello\n";
  EXPECT_THAT(MessageOf([&] { Tune(request_); }), HasSubstr("line 1 is not of a journal"));
}

TEST_F(TuneTest, TwoAtOnceAreRefused) {
  const Journal held(folder_, {{"model", 1}});
  EXPECT_THAT(MessageOf([&] { Tune(request_); }), HasSubstr("another tune is at work"));
}

TEST_F(TuneTest, WithoutLabelsAnswersAgreeWithTheFloatModel) {
  const MemorySamples unlabelled = MemorySamples::Random(90, {1, 4, 4, 3});
  request_.dataset = &unlabelled;
  const TuneResult result = Tune(request_);
  EXPECT_EQ(result.objective, Objective::kAgreement);
  for (const Point& point : result.points) {
    if (point.is_source) {
      EXPECT_EQ(point.report.correct, point.report.total);
    }
  }
}

// One number comes out: no classes. The error decides.
TEST_F(TuneTest, WithoutClassesTheErrorDecides) {
  graph::ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 16}), y = m.Tensor("y", DType::kFloat32, {1, 1});
  m.Op(graph::BuiltinOp::kFullyConnected,
       {x, m.Constant("w", {1, 16}, quantize::RandomValues(16, 3)), m.Constant("b", {1}, std::vector<float>{0.5F})},
       {y});
  m.Output(y);
  const MemorySamples samples = MemorySamples::Random(40, {1, 16});
  request_.model = m.Build();
  request_.dataset = &samples;
  const TuneResult result = Tune(request_);
  EXPECT_EQ(result.objective, Objective::kError);
  ASSERT_FALSE(result.points.empty());
  for (const Point& point : result.points) EXPECT_GT(point.report_sqnr_db, 10) << point.name;
  for (const Dominance& dominance : result.dominance) EXPECT_GE(dominance.more_db, 0) << dominance.baseline;
}

TEST_F(TuneTest, ASlowModelIsReportedOnFewerSamplesTheSameOnesAgain) {
  const MemorySamples many = Labelled(1500);
  request_.dataset = &many;
  request_.minutes = 1e-6;
  const TuneResult first = Tune(request_);
  EXPECT_TRUE(first.out_of_time);
  EXPECT_EQ(first.split.report.size(), 100U);
  request_.minutes = 5;
  const TuneResult again = Tune(request_);
  EXPECT_FALSE(again.out_of_time);
  EXPECT_EQ(again.split.report, first.split.report);
  EXPECT_GT(again.tried, first.tried);
}

TEST_F(TuneTest, SaysWhatIsWrongBeforeItWritesAnything) {
  const auto with = [&](const auto& change) {
    TuneRequest request = request_;
    change(request);
    return MessageOf([&] { Tune(request); });
  };
  EXPECT_THAT(with([](TuneRequest& r) { r.minutes = 0; }), HasSubstr("--minutes 0"));
  EXPECT_THAT(with([](TuneRequest& r) { r.budget.max_bytes = 0; }), HasSubstr("--max-size 0"));
  EXPECT_THAT(with([](TuneRequest& r) { r.budget.max_us = -1; }), HasSubstr("--max-latency-us -1"));
  EXPECT_THAT(with([](TuneRequest& r) { r.budget = {1000, std::nullopt, 0.01, false}; }), HasSubstr("give one kind"));
  EXPECT_THAT(with([](TuneRequest& r) {
                r.budget = {1000, std::nullopt, std::nullopt, true};
              }),
              HasSubstr("--prefer latency goes with --max-drop"));
  quantize::QuantizeRequest quantize;
  quantize.model = request_.model;
  quantize.dataset = &samples_;
  const auto int8 = std::make_shared<const graph::Model>(quantize::Quantize(quantize).model);
  EXPECT_THAT(with([&](TuneRequest& r) { r.model = int8; }), HasSubstr("is quantized already"));
  EXPECT_FALSE(std::filesystem::exists(folder_));
  EXPECT_THAT(with([](TuneRequest& r) { r.folder = "/proc/none"; }), HasSubstr("/proc/none"));
  std::ofstream(folder_) << "a file";
  EXPECT_THAT(with([](TuneRequest&) {}), HasSubstr("is a file"));
}

TEST_F(TuneTest, NothingWithinTheBudgetNamesWhatIsNearest) {
  request_.budget.max_bytes = 100;
  const TuneResult result = Tune(request_);
  EXPECT_FALSE(result.within_budget);
  EXPECT_THAT(result.choice, HasSubstr("nothing is within --max-size 100; "));
  uint64_t least = UINT64_MAX;
  for (const Point& point : result.points) {
    if (point.on_front) least = std::min(least, point.bytes);
  }
  EXPECT_THAT(result.choice, HasSubstr(fmt::format("{} bytes", least)));
}

TEST_F(TuneTest, NanInASampleEndsTheSearchWithItsName) {
  samples_.samples()[SplitSamples({.size = 120}).calibration[3]].values<float>()[7] = std::nanf("");
  EXPECT_THAT(MessageOf([&] { Tune(request_); }), HasSubstr("NaN"));
}

TEST(ParetoFrontTest, KeepsWhatNothingElseBeats) {
  const auto seen = [](int64_t right, double db, uint64_t bytes, double us) { return Seen{right, 100, db, bytes, us}; };
  const std::vector<Seen> all = {
      seen(90, HUGE_VAL, 1000, 100),  // 0: float
      seen(90, 40, 500, 100),         // 1: smaller
      seen(88, 20, 260, 50),          // 2: smaller and faster
      seen(88, 19.5, 250, 50),        // 3: hardly less exact and smaller: 2 goes
      seen(80, 10, 260, 60),          // 4: worse in all
      seen(70, 5, 150, 70),           // 5: the smallest
      seen(89, 30, 499, 130),         // 6: hardly smaller, slower
  };
  EXPECT_THAT(ParetoFront(all), testing::ElementsAre(0, 1, 3, 5));
}

TEST(ChooseTest, BudgetsOfEachKind) {
  const std::vector<Seen> front = {{90, 100, HUGE_VAL, 1000, 100}, {90, 100, 30, 300, 40}, {85, 100, 10, 200, 45}};
  const std::vector<std::string> names = {"float32", "int8", "int4"};
  const auto choose = [&](const Budget& budget) { return Choose(front, names, 90, Objective::kTop1, budget); };
  EXPECT_EQ(choose({}).index, 1U);
  EXPECT_EQ(choose({.max_bytes = 2000}).index, 0U);
  EXPECT_EQ(choose({.max_bytes = 999}).index, 1U);
  EXPECT_EQ(choose({.max_bytes = 250}).index, 2U);
  EXPECT_EQ(choose({.max_us = 42}).index, 1U);
  EXPECT_EQ(choose({.max_drop = 0.05}).index, 2U);
  EXPECT_EQ(choose({.max_drop = 0.05, .prefer_latency = true}).index, 1U);
  EXPECT_EQ(choose({.max_drop = 0}).index, 1U);
  // By the error: 1 % of the outputs' power is 20 dB.
  EXPECT_EQ(Choose(front, names, 100, Objective::kError, {}).index, 1U);
  EXPECT_EQ(Choose(front, names, 100, Objective::kError, {.max_drop = 0.2}).index, 2U);
  const Choice none = choose({.max_bytes = 250, .max_us = 10});
  EXPECT_FALSE(none.index.has_value());
  EXPECT_THAT(none.reason, HasSubstr("nothing is within --max-size 250 --max-latency-us 10; int8 comes nearest"));
}

}  // namespace
}  // namespace assay::tune
