#include "demo/table.h"

#include <unistd.h>

#include <filesystem>

#include "base/mapped_file.h"
#include "data/dataset.h"
#include "demo/digits.h"
#include "demo/embedded.h"
#include "format/tflite/reader.h"
#include "format/tflite/writer.h"

namespace assay::demo {
namespace {

constexpr int64_t kTableDigits = 400;
constexpr size_t kTableLayerSamples = 32;  // enough to find a fault, and the table stays short
constexpr uint64_t kDigitSeed = 5000;      // apart from the seeds of training and of the accuracies in demo/README.md

const EmbeddedPair& FindPair(std::string_view name) {
  for (const EmbeddedPair& pair : EmbeddedPairs()) {
    if (pair.name == name) return pair;
  }
  throw Error(ErrorCode::kInternal, fmt::format("the program carries no model '{}'", name));
}

// A folder that is gone when this is.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "assay-demo-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw InputError("{}: cannot make a temporary folder", pattern);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string File(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace

std::shared_ptr<const graph::Model> ReadEmbedded(std::string_view name, bool int8) {
  const EmbeddedPair& pair = FindPair(name);
  return tflite::ReadModel(int8 ? pair.int8_model : pair.float_model, nullptr,
                           fmt::format("embedded {} {}", name, int8 ? "int8" : "float"));
}

compare::CompareResult CompareFiles(const DemoComparison& comparison) {
  const auto dataset = data::OpenMnist(comparison.images_path, comparison.labels_path);
  compare::CompareRequest request;
  request.reference.path = comparison.reference_path;
  request.reference.model = tflite::ReadModel(comparison.reference_path);
  request.reference.pipeline = ParsePreprocess(comparison.reference_preprocess);
  request.model.path = comparison.model_path;
  request.model.model = tflite::ReadModel(comparison.model_path);
  request.model.pipeline = ParsePreprocess(comparison.model_preprocess);
  request.dataset = dataset.get();
  request.threads = comparison.threads;
  request.layer_samples = comparison.layer_samples;
  request.options.cancelled = comparison.cancelled;
  return compare::Compare(request);
}

Table MakeTable(const TableRequest& request) {
  const TemporaryFolder folder;
  DemoComparison files = {.reference_path = folder.File("float.tflite"),
                          .model_path = folder.File("model.tflite"),
                          .images_path = folder.File("images.idx"),
                          .labels_path = folder.File("labels.idx"),
                          .threads = request.threads,
                          .layer_samples = kTableLayerSamples,
                          .cancelled = request.cancelled};
  Table table;
  std::vector<std::string_view> clean;
  for (const EmbeddedPair& pair : EmbeddedPairs()) {
    if (pair.name != "digits") clean.push_back(pair.name);
  }
  const size_t total = static_cast<size_t>(request.seeds) + clean.size();
  const auto report = [&] {
    if (request.progress) request.progress(table.rows.size(), total);
  };
  tflite::WriteModel(*ReadEmbedded("digits", false), files.reference_path);
  const auto int8_model = ReadEmbedded("digits", true);
  for (int i = 0; i < request.seeds; ++i) {
    const uint64_t seed = request.first_seed + static_cast<uint64_t>(i);
    const PlantedFault fault = PlantFault(seed, int8_model);
    WriteIdx(Spoil(fault.data, GenerateDigits(kDigitSeed + seed, kTableDigits)), files.images_path, files.labels_path);
    tflite::WriteModel(*fault.model, files.model_path);
    files.reference_preprocess = fault.reference_preprocess;
    files.model_preprocess = fault.preprocess;
    const compare::CompareResult result = CompareFiles(files);
    TableRow row = {.clean = false,
                    .seed = seed,
                    .subject = std::string(FaultName(fault.kind)),
                    .truth = fault.truth,
                    .found = result.verdict.sentence,
                    .right = IsNamed(fault, result),
                    .has_layer = !fault.layer.empty(),
                    .layer_named = NamesLayer(fault, result),
                    .kind_named = NamesKind(fault, result)};
    ++table.planted;
    table.named += row.right;
    table.rows.push_back(std::move(row));
    report();
  }
  files.model_preprocess = files.reference_preprocess = DemoComparison().reference_preprocess;
  for (size_t i = 0; i < clean.size(); ++i) {
    WriteIdx(GenerateDigits(kDigitSeed + 1000 + i, kTableDigits), files.images_path, files.labels_path);
    tflite::WriteModel(*ReadEmbedded(clean[i], false), files.reference_path);
    tflite::WriteModel(*ReadEmbedded(clean[i], true), files.model_path);
    const compare::CompareResult result = CompareFiles(files);
    const bool silent = result.verdict.cause == compare::Cause::kNone;
    table.rows.push_back({.clean = true,
                          .seed = 0,
                          .subject = std::string(clean[i]),
                          .truth = "nothing is wrong",
                          .found = result.verdict.sentence,
                          .right = silent,
                          .has_layer = false,
                          .layer_named = false,
                          .kind_named = false});
    ++table.clean;
    table.false_alarms += !silent;
    report();
  }
  return table;
}

}  // namespace assay::demo
