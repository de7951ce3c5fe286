// assay preprocess: one picture through the preprocessing steps, into an .npy.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "image/preprocess.h"
#include "tensor/npy.h"

namespace assay::cli {
namespace {

struct PreprocessFlags {
  std::string image, steps, out;
  bool json = false;
};

int Preprocess(const PreprocessFlags& flags) {
  const Pipeline pipeline = ParsePreprocess(flags.steps);
  const Array pixels = PreprocessImageFile(pipeline, flags.image);
  WriteNpy(flags.out, pixels);
  if (flags.json) {
    const auto dims = pixels.shape().dims();
    const nlohmann::ordered_json json = {{"image", flags.image},
                                         {"preprocess", pipeline.ToString()},
                                         {"out", flags.out},
                                         {"dtype", DTypeName(pixels.dtype())},
                                         {"shape", std::vector<int32_t>(dims.begin(), dims.end())}};
    Print(json.dump(2) + "\n");
  } else {
    Print(fmt::format("{}: {} {} by {}\n", flags.out, DTypeName(pixels.dtype()), pixels.shape().ToString(),
                      pipeline.ToString()));
  }
  return 0;
}

}  // namespace

void AddPreprocess(CLI::App& app, Action& action) {
  auto flags = std::make_shared<PreprocessFlags>();
  CLI::App* verb = app.add_subcommand(
      "preprocess", "Decode, crop, resize and normalise one picture, as a library of your choice does");
  verb->add_option("image", flags->image, "The JPEG or PNG file")->required();
  verb->add_option("--preprocess", flags->steps, "Steps, e.g. decode=opencv,resize=224x224:opencv-linear,scale=1/255")
      ->required();
  verb->add_option("--out", flags->out, "The .npy file to write (height, width, channels)")->required();
  verb->add_flag("--json", flags->json, "Print one JSON object");
  verb->callback([flags, &action] { action = [flags] { return Preprocess(*flags); }; });
}

}  // namespace assay::cli
