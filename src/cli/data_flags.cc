#include "cli/data_flags.h"

#include <CLI/CLI.hpp>

#include "base/parallel.h"
#include "cli/cli.h"

namespace assay::cli {

namespace {

constexpr int kMostLabelOffset = 1000000;  // sums with labels stay far from overflow

}  // namespace

void AddDataFlags(CLI::App& verb, DataFlags& flags, bool data_is_required) {
  verb.add_option("--data", flags.spec,
                  "folder:DIR, imagenet:DIR, mnist:IMAGES,LABELS, csv:FILE,DIR[,dtype=int8] or npz:FILE")
      ->required(data_is_required);
  verb.add_option("--labels", flags.labels, "CSV of class_index,wnid,name or of file,label (imagenet data)");
  verb.add_option("--preprocess", flags.preprocess,
                  "Steps, e.g. decode=opencv,crop=0.875,resize=224x224:opencv-linear,scale=1/255");
  AddRuntimeFlags(verb, flags.runtime);
  verb.add_option("--label-offset", flags.label_offset, "Added to every label to get the model's class")
      ->check(CLI::Range(-kMostLabelOffset, kMostLabelOffset));
  verb.add_option("--threads", flags.threads, "Samples at once; 0 takes all processors")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  verb.add_option("--max-samples", flags.max_samples,
                  "Use only so many samples, spread evenly over all classes; 0 takes all")
      ->capture_default_str();
  verb.add_flag("--skip-bad", flags.skip_bad, "Count and name samples that cannot be read instead of stopping");
}

OpenedData Open(const DataFlags& flags) {
  OpenedData data;
  data.runtime = OpenRuntime(flags.runtime);
  data.pipeline = ParsePreprocess(flags.preprocess);
  data.threads = flags.threads > 0 ? flags.threads : AvailableThreads();
  if (flags.spec.empty()) return data;
  data.dataset = data::OpenDataset(flags.spec, flags.labels);
  if (data.dataset->ignored_files() > 0) {
    fmt::print(stderr, "assay: {}: passed over {} files and folders that are no pictures\n", flags.spec,
               data.dataset->ignored_files());
  }
  if (flags.max_samples > 0) data.dataset = data::SpreadSamples(std::move(data.dataset), flags.max_samples);
  return data;
}

}  // namespace assay::cli
