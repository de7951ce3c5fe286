#include "format/keras/legacy.h"

#include <initializer_list>
#include <utility>

namespace assay::keras {
namespace {

void Rename(Json& config, const char* from, const char* to) {
  if (!config.contains(from) || config.contains(to)) return;
  config[to] = config[from];
  config.erase(from);
}

}  // namespace

void ModernizeLayer(Layer& layer) {
  constexpr std::pair<const char*, const char*> kClasses[] = {
      {"Convolution1D", "Conv1D"},
      {"Convolution2D", "Conv2D"},
      {"Convolution3D", "Conv3D"},
      {"Deconvolution2D", "Conv2DTranspose"},
      {"SeparableConvolution2D", "SeparableConv2D"},
      {"AtrousConvolution2D", "Conv2D"},
      {"Convolution2DTranspose", "Conv2DTranspose"},
      {"Convolution3DTranspose", "Conv3DTranspose"},
      {"CuDNNLSTM", "LSTM"},
      {"CuDNNGRU", "GRU"},
      {"BatchNormalizationV1", "BatchNormalization"},
      {"BatchNormalizationV2", "BatchNormalization"},
      {"SyncBatchNormalization", "BatchNormalization"},
  };
  if (!layer.config.is_object()) return;
  Json& config = layer.config;
  if (layer.class_name == "CuDNNLSTM" || layer.class_name == "CuDNNGRU") config["cudnn"] = true;
  for (const auto& [old_name, new_name] : kClasses) {
    if (layer.class_name == old_name) layer.class_name = new_name;
  }
  Rename(config, "border_mode", "padding");
  Rename(config, "output_dim",
         layer.class_name == "Dense" || layer.class_name == "LSTM" || layer.class_name == "GRU" ||
                 layer.class_name == "SimpleRNN"
             ? "units"
             : "output_dim");
  Rename(config, "nb_filter", "filters");
  Rename(config, "subsample", "strides");
  Rename(config, "subsample_length", "strides");
  Rename(config, "filter_length", "kernel_size");
  Rename(config, "atrous_rate", "dilation_rate");
  Rename(config, "inner_activation", "recurrent_activation");
  if (layer.class_name != "Merge") Rename(config, "bias", "use_bias");
  Rename(config, "p", "rate");
  if (layer.class_name == "MaxPooling1D" || layer.class_name == "AveragePooling1D") {
    Rename(config, "pool_length", "pool_size");
    Rename(config, "stride", "strides");
  }
  if (layer.class_name == "UpSampling1D") Rename(config, "length", "size");
  if (config.contains("nb_row") && config.contains("nb_col")) {
    config["kernel_size"] = {config["nb_row"], config["nb_col"]};
  }
  if (config.contains("dim_ordering")) {
    const Json order = config["dim_ordering"];
    if (order == "th") config["data_format"] = "channels_first";
    if (order == "tf") config["data_format"] = "channels_last";
  }
  if (layer.class_name == "BatchNormalization" && config.contains("mode") && !config.contains("center")) {
    config["center"] = true;
    config["scale"] = true;
  }
  if (layer.class_name == "Merge" && config.contains("mode") && config["mode"].is_string()) {
    constexpr std::pair<const char*, const char*> kModes[] = {
        {"sum", "Add"},     {"mul", "Multiply"},       {"ave", "Average"},
        {"max", "Maximum"}, {"concat", "Concatenate"}, {"dot", "Dot"}};
    for (const auto& [mode, class_name] : kModes) {
      if (config["mode"] == mode) layer.class_name = class_name;
    }
    Rename(config, "concat_axis", "axis");
    if (layer.class_name == "Dot") Rename(config, "dot_axes", "axes");
  }
}

}  // namespace assay::keras
