//! What must hold for every profile: the engine against the naive model, and laws that tie its parts
//! together.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod naive;

use autopgo_pprof::{
    Accumulator, Edges, ErrorKind, Limits, Outline, Profile, Sound, check, compact, compact_all, gzip,
    has_samples, merge, prune,
};
use naive::random::{Kind, model};
use naive::{Model, wire};
use proptest::collection::vec;
use proptest::prelude::*;

fn profile(model: &Model) -> Profile {
    Profile::decode(&wire::write(model), &Limits::default()).unwrap()
}

fn profiles(models: &[Model]) -> Vec<Profile> {
    models.iter().map(profile).collect()
}

fn merged(profiles: &[Profile]) -> Profile {
    merge(&profiles.iter().collect::<Vec<_>>()).unwrap()
}

fn preprofile(profile: &Profile) -> Vec<u8> {
    Edges::of(profile).unwrap().preprofile()
}

fn cut(profile: &mut Profile, drop: &str, names: prune::Names) {
    prune::prune(profile, names, &|name| name.contains(drop), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_written(model in model(Kind::Any)) {
        let raw = wire::write(&model);
        let profile = profile(&model);
        prop_assert_eq!(&profile.encode(), &raw);
        prop_assert_eq!(profile.encoded_len(), raw.len() as u64);
        let again = Profile::parse(&profile.write(), &Limits::default()).unwrap();
        prop_assert_eq!(again.encode(), raw);
    }

    #[test]
    fn the_way_of_writing_does_not_matter(model in model(Kind::Any)) {
        let careless = Profile::decode(&wire::write_careless(&model), &Limits::default()).unwrap();
        prop_assert_eq!(careless.encode(), wire::write(&model));
    }

    #[test]
    fn merging_is_the_naive_merge(models in vec(model(Kind::Any), 1..4)) {
        let expected = naive::merge::merge(&models);
        prop_assert_eq!(merged(&profiles(&models)).encode(), wire::write(&expected));
    }

    #[test]
    fn an_accumulated_profile_is_in_order(model in model(Kind::Any)) {
        let once = Accumulator::new(profile(&model)).finish();
        let again = Profile::decode(&once.encode(), &Limits::default()).unwrap();
        prop_assert_eq!(Accumulator::new(again).finish().encode(), once.encode());
    }

    #[test]
    fn the_normal_form_is_normal(model in model(Kind::Any)) {
        let once = merge(&[&profile(&model)]).unwrap();
        prop_assert_eq!(merge(&[&once]).unwrap().encode(), once.encode());
        let read = Profile::decode(&once.encode(), &Limits::default()).unwrap();
        prop_assert_eq!(merge(&[&read]).unwrap().encode(), once.encode());
    }

    #[test]
    fn merging_in_steps_is_merging_at_once(models in vec(model(Kind::Cpu), 3)) {
        let profiles = profiles(&models);
        let first = merged(&profiles[..2]);
        let steps = merge(&[&first, &profiles[2]]).unwrap();
        let once = merged(&profiles);
        // All but the header's time, of which Go's rule is not associative, and the mappings' order,
        // which an unused first mapping changes.
        prop_assert_eq!(steps.totals(), once.totals());
        prop_assert_eq!(steps.sample_count(), once.sample_count());
        prop_assert_eq!(preprofile(&steps), preprofile(&once));
    }

    #[test]
    fn order_changes_neither_sums_nor_edges(models in vec(model(Kind::Cpu), 1..4)) {
        let mut profiles = profiles(&models);
        let forth = merged(&profiles);
        profiles.reverse();
        let back = merged(&profiles);
        prop_assert_eq!(forth.totals(), back.totals());
        prop_assert_eq!(preprofile(&forth), preprofile(&back));
    }

    #[test]
    fn values_are_conserved(models in vec(model(Kind::Any), 1..4)) {
        let profiles = profiles(&models);
        let mut sums = [0, 0];
        for profile in &profiles {
            sums.iter_mut().zip(profile.totals()).for_each(|(sum, total)| *sum += total);
        }
        prop_assert_eq!(merged(&profiles).totals(), sums);
    }

    #[test]
    fn pruning_is_the_naive_prune(mut model in model(Kind::Any), drop in "main|f|g|serve|\\[|zzz") {
        let mut profile = profile(&model);
        cut(&mut profile, &drop, prune::Names::Full);
        naive::prune::prune(&mut model, &|name| String::from_utf8_lossy(name).contains(&drop));
        prop_assert_eq!(profile.encode(), wire::write(&model));
    }

    #[test]
    fn pruning_adds_nothing(model in model(Kind::Any), drop in "main|f|conn") {
        let whole = profile(&model);
        let mut pruned = whole.clone();
        cut(&mut pruned, &drop, prune::Names::Simplified);
        prop_assert_eq!(pruned.sample_count(), whole.sample_count());
        prop_assert_eq!(pruned.totals(), whole.totals());
        prop_assert!(pruned.encoded_len() <= whole.encoded_len());
        let read = Profile::decode(&pruned.encode(), &Limits::default()).unwrap();
        prop_assert_eq!(read.encode(), pruned.encode());
    }

    #[test]
    fn edges_are_the_naive_edges(model in model(Kind::Any)) {
        let negative = model.samples.iter().any(|sample| sample.values[0] < 0);
        match (Edges::of(&profile(&model)), naive::edges::preprofile(&model)) {
            (Ok(edges), Some(text)) if !negative => prop_assert_eq!(edges.preprofile(), text),
            (Err(error), expected) => {
                prop_assert!(negative || expected.is_none(), "{}", error);
                prop_assert_eq!(error.kind(), ErrorKind::Unusable);
            }
            (Ok(_), _) => prop_assert!(false, "accepted what the compiler refuses"),
        }
    }

    #[test]
    fn a_usable_profile_keeps_its_edges_when_compacted(model in model(Kind::Cpu)) {
        let profile = profile(&model);
        check::upload(&profile).unwrap();
        let small = compact(&profile).unwrap();
        prop_assert_eq!(preprofile(&small), preprofile(&profile));
        prop_assert_eq!(Some(preprofile(&profile)), naive::edges::preprofile(&model));
        prop_assert_eq!(compact(&small).unwrap().encode(), small.encode());
        let read = Profile::decode(&small.encode(), &Limits::default()).unwrap();
        prop_assert_eq!(read.encode(), small.encode());
    }

    #[test]
    fn compacting_commutes_with_merging(models in vec(model(Kind::Cpu), 1..4)) {
        let full = profiles(&models);
        let small: Vec<Profile> = full.iter().map(|profile| compact(profile).unwrap()).collect();
        let expected = compact(&merged(&full)).unwrap();
        prop_assert_eq!(compact(&merged(&small)).unwrap().encode(), expected.encode());
        let mixed: Vec<Profile> = small[..1].iter().chain(&full[1..]).cloned().collect();
        prop_assert_eq!(compact(&merged(&mixed)).unwrap().encode(), expected.encode());
    }

    #[test]
    fn compacting_all_is_compacting_what_is_merged(models in vec(model(Kind::Any), 1..4), small: [bool; 3]) {
        let shown = |profile: Result<Profile, autopgo_pprof::Error>| {
            profile.map(|profile| profile.encode()).map_err(|error| error.to_string())
        };
        // Some of them are compact, where they can be: of these the edges are added up.
        let profiles: Vec<Profile> = profiles(&models)
            .into_iter()
            .zip(small)
            .map(|(profile, small)| if small { compact(&profile).unwrap_or(profile) } else { profile })
            .collect();
        let all: Vec<&Profile> = profiles.iter().collect();
        prop_assert_eq!(shown(compact_all(&all)), shown(merge(&all).and_then(|merged| compact(&merged))));
    }

    #[test]
    fn pruning_commutes_with_merging_for_the_compiler(models in vec(model(Kind::Cpu), 1..4), drop in "f|g|serve") {
        let mut after = merged(&profiles(&models));
        cut(&mut after, &drop, prune::Names::Full);
        let mut before = profiles(&models);
        before.iter_mut().for_each(|profile| cut(profile, &drop, prune::Names::Full));
        prop_assert_eq!(preprofile(&merged(&before)), preprofile(&after));
    }

    #[test]
    fn a_profile_fits_exactly_what_it_can_be_read_with(model in model(Kind::Any), which in 0..6, less in 0..2_usize) {
        let profile = profile(&model);
        let mut limits = Limits::default();
        let exact = |count: usize| count.saturating_sub(less);
        match which {
            0 => limits.samples = exact(profile.sample_count()),
            1 => limits.locations = exact(profile.location_count()),
            2 => limits.functions = exact(profile.function_count()),
            3 => limits.mappings = exact(profile.mapping_count()),
            4 => limits.strings = exact(profile.string_count()),
            _ => limits.raw_bytes = exact(profile.encoded_len() as usize) as u64,
        }
        prop_assert_eq!(profile.fits(&limits).is_ok(), Profile::decode(&profile.encode(), &limits).is_ok());
    }

    #[test]
    fn the_scan_finds_samples(model in model(Kind::Any)) {
        let expected = !model.samples.is_empty();
        let limits = Limits::default();
        prop_assert_eq!(has_samples(&wire::write(&model), &limits).unwrap(), expected);
        prop_assert_eq!(has_samples(&wire::write_careless(&model), &limits).unwrap(), expected);
        prop_assert_eq!(has_samples(&profile(&model).write(), &limits).unwrap(), expected);
    }

    #[test]
    fn the_quick_look_and_the_outline_say_the_same(
        model in model(Kind::Any), cpu in model(Kind::Cpu), at in any::<prop::sample::Index>(), byte: u8
    ) {
        let limits = Limits::default();
        let damaged = |model: &Model| {
            let mut raw = wire::write_careless(model);
            let at = at.index(raw.len());
            raw[at] = byte;
            raw
        };
        let texts = [wire::write(&model), wire::write(&cpu), wire::write_careless(&cpu), damaged(&model), damaged(&cpu)];
        for raw in texts.iter().flat_map(|raw| [raw.clone(), gzip::deflate(raw)]) {
            let sound = Sound::look(&raw, &limits, |_| true);
            let outline = Outline::read(&raw[..], &limits);
            let Ok(profile) = Profile::parse(&raw, &limits) else {
                prop_assert_eq!(sound, None);
                continue;
            };
            let checked = check::upload(&profile);
            match &sound {
                Some(sound) => {
                    prop_assert!(checked.is_ok());
                    prop_assert_eq!(sound.totals().to_vec(), profile.totals());
                    prop_assert_eq!(sound.comments(), profile.comments().count());
                }
                None => prop_assert!(checked.is_err() || profile.totals().iter().any(|total| *total > 1 << 40)),
            }
            let outline = outline.unwrap();
            prop_assert_eq!(outline.samples(), profile.sample_count() as u64);
            if checked.is_ok() {
                prop_assert!(check::outline(&outline).is_ok());
            }
        }
    }

    #[test]
    fn the_quick_look_has_the_same_limits(cpu in model(Kind::Cpu), which in 0..7, less in 0..2_usize) {
        let raw = wire::write(&cpu);
        let profile = Profile::decode(&raw, &Limits::default()).unwrap();
        let frames = cpu.samples.iter().map(|sample| sample.stack.len()).sum();
        let labels = profile.samples().map(|sample| sample.labels().len()).sum();
        let mut limits = Limits::default();
        let exact = |count: usize| count.saturating_sub(less);
        match which {
            0 => limits.samples = exact(profile.sample_count()),
            1 => limits.locations = exact(profile.location_count()),
            2 => limits.functions = exact(profile.function_count()),
            3 => limits.strings = exact(profile.string_count()),
            4 => limits.frames = exact(frames),
            5 => limits.labels = exact(labels),
            _ => limits.raw_bytes = exact(raw.len()) as u64,
        }
        let whole = Profile::decode(&raw, &limits).is_ok_and(|profile| check::upload(&profile).is_ok());
        prop_assert_eq!(Sound::look(&raw, &limits, |_| true).is_some(), whole);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let limits = Limits::default();
        if let Ok(profile) = Profile::parse(&bytes, &limits) {
            let _ = (merge(&[&profile]), Edges::of(&profile), compact(&profile));
        }
        let _ = has_samples(&bytes, &limits);
    }

    #[test]
    fn a_damaged_profile_is_read_or_refused(model in model(Kind::Any), at in any::<prop::sample::Index>(), byte: u8) {
        let mut raw = wire::write(&model);
        let at = at.index(raw.len());
        raw[at] = byte;
        if let Ok(profile) = Profile::decode(&raw, &Limits::default()) {
            // Once more than elsewhere: a label of an empty text is written without it, and so dropped.
            let again = Profile::decode(&profile.encode(), &Limits::default()).unwrap();
            let stable = Profile::decode(&again.encode(), &Limits::default()).unwrap();
            prop_assert_eq!(stable.encode(), again.encode());
            merge(&[&profile]).unwrap();
            let _ = (Edges::of(&profile), compact(&profile));
        }
        raw.truncate(at);
        let _ = Profile::decode(&raw, &Limits::default());
    }
}
